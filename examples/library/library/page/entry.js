/** Signing in, and becoming a member. */
import { api } from "./api.js";
import { $, closable } from "./dom.js";
import { clearFaults, handle } from "./forms.js";
import { tell } from "./messages.js";

const FORMS = {
  login: { form: $("login-form"), heading: "Sign in" },
  register: { form: $("register-form"), heading: "Become a member" },
};
const dialog = $("entry");
let entered = () => {};

closable(dialog);
dialog.addEventListener("close", () => {
  entered(api.user !== null);
  for (const { form } of Object.values(FORMS)) {
    form.reset();
    clearFaults(form);
  }
});
for (const link of dialog.querySelectorAll("[data-show]")) {
  link.addEventListener("click", () => show(link.dataset.show));
}
handle(FORMS.login.form, ({ email, password }) => enter(email, password), {
  401: "The e-mail address and the password do not go together.",
});
handle(FORMS.register.form, async ({ username, email, password }) => {
  await api.register({ username, email: email.toLowerCase(), password });
  await enter(email, password);
});

/** Ask who it is; tell by a promise whether somebody signed in. */
export function signIn(reason = "") {
  $("entry-reason").textContent = reason;
  $("entry-reason").hidden = reason === "";
  show("login");
  if (!dialog.open) {
    dialog.showModal();
  }
  FORMS.login.form.elements.email.focus();
  return new Promise((resolve) => (entered = resolve));
}

/** Make sure that somebody is signed in before something is done. */
export async function signedIn(reason) {
  return api.user !== null || signIn(reason);
}

async function enter(email, password) {
  await api.login(email.toLowerCase(), password);
  dialog.close();
  tell(`Good to see you, ${api.user.username}.`);
}

function show(which) {
  for (const [name, { form, heading }] of Object.entries(FORMS)) {
    form.hidden = name !== which;
    if (name === which) {
      $("entry-heading").textContent = heading;
      form.elements[0].focus();
    }
  }
}
