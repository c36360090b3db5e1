/** `@guard/approver`: the built page, for whoever serves it, writes it down or compares it. */
export { type Page, type PageFile, readPage } from "./page.ts";
