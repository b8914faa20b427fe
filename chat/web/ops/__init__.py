"""What whoever runs the site needs beside the desk: health, numbers, reports, Coze's consent."""
