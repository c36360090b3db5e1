/** Makes what grpc-js needs of a service that protobuf-es describes. */
import {
  type DescMessage,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";

type Methods = DescService["method"];

/** Each method of `S` as grpc-js defines it, with its messages' types. */
export type ServiceOf<S extends DescService> = {
  readonly [N in keyof S["method"]]: MethodDefinition<
    MessageShape<S["method"][N]["input"]>,
    MessageShape<S["method"][N]["output"]>
  >;
};

function serialize<D extends DescMessage>(schema: D) {
  return (message: MessageShape<D>) => Buffer.from(toBinary(schema, message));
}

function deserialize<D extends DescMessage>(schema: D) {
  // A copy: protobuf-es gives views, and grpc-js may use its buffer again.
  return (bytes: Buffer) => fromBinary(schema, new Uint8Array(bytes));
}

export function serviceOf<S extends DescService>(service: S): ServiceOf<S> {
  const methods: Methods = service.method;
  const definitions = Object.entries(methods).map(([name, method]) => {
    const definition: MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: serialize(method.input),
      requestDeserialize: deserialize(method.input),
      responseSerialize: serialize(method.output),
      responseDeserialize: deserialize(method.output),
    };
    return [name, definition];
  });
  return Object.fromEntries(definitions) as ServiceOf<S>;
}
