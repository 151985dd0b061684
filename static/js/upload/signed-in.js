// Shown after signing in during an upload: tells the window that waits, and gives it back to the eye.
new BroadcastChannel("pixora-signed-in").postMessage("signed in");
if (window.opener) window.close();
