/** What nobody needs to read a request and to answer it: a script of its own (later.js, see state/load-later.ts). */
import "./later.css";

export { Changes, changesOf } from "./detail/changes.tsx";
export { checkEdit } from "./detail/check-edit.ts";
export { EditForm } from "./detail/edit-form.tsx";
export { toForm } from "./detail/form-model.ts";
export { DevicesView } from "./devices/devices-view.tsx";
export { EnrolView } from "./enrol/enrol-view.tsx";
export { HistoryView } from "./inbox/history-view.tsx";
