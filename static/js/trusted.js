// HTML comes from our server, which has cleaned it; from nowhere else
const policy = globalThis.trustedTypes?.createPolicy("reply-html", { createHTML: html => html })

/** The only place that turns a string into HTML. */
export const setServerHTML = (node, html) => { node.innerHTML = policy ? policy.createHTML(html) : html }
