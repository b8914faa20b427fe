"""What every page has around it: language, dates, the sidebar, files whose addresses change."""
