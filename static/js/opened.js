// The token of a link leaves the address once the page is open: whoever looks at the screen or its history shall not
// read it. A reload finds the link by a cookie; the phone's own share sheet passes on the canonical address.
const place = document.querySelector('meta[name="opened"]')?.content;
if (place && navigator.cookieEnabled && location.pathname !== place) history.replaceState(history.state, "", place);
