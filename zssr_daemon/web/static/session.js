// The end of a session, on every view behind the login.

import { byId } from "./dom.js";
import { post } from "./http.js";
import { tellRefusal } from "./notices.js";

byId("logout").addEventListener("click", async () => {
  try {
    await post("/logout");
    location.assign("/login");
  } catch (error) {
    tellRefusal(error);
  }
});

// The button waits for this script, so that no click on it is lost.
byId("logout").disabled = false;
