// Shows a notice that the desk pushed, also while no page is open; a tap opens it and says that it was heard.

const NOTICE = /^ntc_[0-9A-Za-z_]{1,40}$/;
const DELIVERY = /^dlv_[0-9A-Za-z_]{1,40}$/;

function understood(data) {
  try {
    return data.json();
  } catch {
    return {};
  }
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const { title, body, language, notice, delivery, proof } = understood(event.data) ?? {};
  const shown = self.registration.showNotification(String(title || "Belltower"), {
    body: String(body || "There is a notice that cannot be read here. Open the page of notices."),
    lang: String(language || ""),
    tag: String(delivery || "belltower"),
    requireInteraction: true,
    data: { notice, delivery, proof },
  });
  event.waitUntil(shown);
});

async function heard({ delivery, proof }) {
  if (!DELIVERY.test(delivery) || !proof) return;
  for (const wait of [0, 1_000, 5_000]) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const answer = await fetch(`/notices/push/heard/${delivery}`, { method: "POST", body: proof, credentials: "omit" });
      if (answer.status < 500) return;
    } catch {
      // No way to the desk now.
    }
  }
}

async function open({ notice }) {
  const url = new URL(NOTICE.test(notice) ? `/notices/${notice}` : "/notices", self.location.origin).href;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => one.url === url);
  await (there ? there.focus() : self.clients.openWindow(url));
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const data = event.notification.data ?? {};
  event.waitUntil(Promise.all([heard(data), open(data)]));
});
