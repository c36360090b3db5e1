/** The page as a whole: what is shown for each route, and what stays around it. */
export function App() {
  return <main class="page">Guard</main>;
}
