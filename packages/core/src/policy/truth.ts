/**
 * Three-valued logic (Kleene): true, false, and null for what cannot be evaluated. What is indeterminate never
 * becomes true or false by negation, so neither a deny rule nor an allow rule opens on a value it cannot read
 * (threat `indeterminate-condition`).
 */
export type Truth = true | false | null;

export function not(value: Truth): Truth {
  return value === null ? null : !value;
}

/** False if any test is false, else indeterminate if any is, else true. */
export function all<T>(tests: readonly ((subject: T) => Truth)[]): (subject: T) => Truth {
  if (tests.length === 1) return tests[0] as (subject: T) => Truth;
  return (subject) => {
    let result: Truth = true;
    for (const test of tests) {
      const truth = test(subject);
      if (truth === false) return false;
      if (truth === null) result = null;
    }
    return result;
  };
}

/** True if any test is true, else indeterminate if any is, else false. */
export function any<T>(tests: readonly ((subject: T) => Truth)[]): (subject: T) => Truth {
  if (tests.length === 1) return tests[0] as (subject: T) => Truth;
  return (subject) => {
    let result: Truth = false;
    for (const test of tests) {
      const truth = test(subject);
      if (truth === true) return true;
      if (truth === null) result = null;
    }
    return result;
  };
}
