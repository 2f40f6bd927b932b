// Line icons on a grid of 24, drawn for Hearth. `currentColor` makes them fit in anywhere.
const paths: Record<string, string> = {
  overview: "M4 11.5 12 5l8 6.5M6 10v9h12v-9M10 19v-5h4v5",
  connect: "M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v4",
  activity: "M3.5 12.5h4L10 6l4 12 2.5-5.5h4",
  approvals: "M12 3.5 5 6v5.5c0 4.3 2.9 7.4 7 9 4.1-1.6 7-4.7 7-9V6zM8.8 12l2.3 2.3 4.2-4.4",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M19.5 14.2A8 8 0 0 1 9.8 4.5a8 8 0 1 0 9.7 9.7z",
  leave: "M14 4.5H6v15h8M10.5 12H21M17.5 8.5 21 12l-3.5 3.5",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l4.5 4.5",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  alert: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.2",
  empty: "M4 8.5 12 4l8 4.5v7L12 20l-8-4.5zM4 8.5l8 4.5 8-4.5M12 13v7",
  chevron: "M9.5 6l6 6-6 6",
};

/** An icon by name, or by its own path. Says nothing to screen readers: its text stands beside it. */
export function Icon(props: { name?: string; path?: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={props.path ?? paths[props.name ?? ""] ?? ""} />
    </svg>
  );
}
