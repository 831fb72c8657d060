// Asks the browser for a subscription and hands it to the desk, or takes it back.

const box = document.getElementById("push");
const begin = document.getElementById("push-begin");
const end = document.getElementById("push-end");
const { key, worker, known } = box.dataset;

function say(words) {
  document.getElementById("push-state").textContent = words;
}

function octets(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

async function digest(text) {
  const made = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(made)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

async function look() {
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
    say("This browser cannot be told. On an iPhone or iPad, add this page to the home screen first, and open it there.");
    return;
  }
  const registration = await navigator.serviceWorker.register(worker);
  const subscription = await registration.pushManager.getSubscription();
  const told = subscription && known.split(" ").includes(await digest(subscription.endpoint));
  say(told ? "This device is told." : "This device is not told.");
  begin.hidden = Boolean(told);
  end.hidden = !told;
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") {
    say("The browser does not let this page show notifications. Allow them in its settings for this page, and try again.");
    return;
  }
  const registration = await navigator.serviceWorker.ready;
  // One that was made for another key, or for somebody else, is of no use.
  await (await registration.pushManager.getSubscription())?.unsubscribe();
  const wanted = { userVisibleOnly: true, applicationServerKey: octets(key) };
  const subscription = await registration.pushManager.subscribe(wanted);
  begin.elements.subscription.value = JSON.stringify(subscription);
  begin.submit();
}

async function unsubscribe() {
  const registration = await navigator.serviceWorker.ready;
  const subscription = await registration.pushManager.getSubscription();
  if (!subscription) {
    location.reload();
    return;
  }
  end.elements.endpoint.value = subscription.endpoint;
  await subscription.unsubscribe();
  end.submit();
}

function failed(error) {
  say(`Not done: the browser says ${error.name}. Try again, or use another browser.`);
}

begin.addEventListener("submit", (event) => {
  event.preventDefault();
  subscribe().catch(failed);
});
end.addEventListener("submit", (event) => {
  event.preventDefault();
  unsubscribe().catch(failed);
});
look().catch(failed);
