/** Starts the page. It runs in a window of its own and nowhere else: in a frame it shows why it does not. */
import "./style.css";
import { render } from "preact";
import { App } from "./app.tsx";

const root = document.getElementById("app");
if (!root) throw new Error("The page has no element #app: its index.html is not the one that was built.");
render(<App />, root);
