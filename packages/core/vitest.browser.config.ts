import { browser } from "../../vitest.browser.ts";

export default browser("core");
