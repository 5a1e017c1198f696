Redoc.init(
  "/openapi.json",
  {
    hideDownloadButtons: true,
    hideHostname: true,
    nativeScrollbars: true,
    pathInMiddlePanel: true,
    sortRequiredPropsFirst: true,
    jsonSamplesExpandLevel: 3,
    theme: {
      colors: { primary: { main: "#0b5a8a" } },
      typography: {
        fontFamily: 'system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif',
        headings: { fontFamily: 'system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif' },
      },
    },
  },
  document.getElementById("reference"),
);
