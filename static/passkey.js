// Passkeys (WebAuthn level 3): sign-in on /login, a new one on /account. What needs this script stays hidden where it cannot work.
(() => {
  'use strict';

  const part = (name) => document.querySelector(`[data-passkey="${name}"]`);
  const signIn = part('sign-in');
  const add = part('add');
  const said = part('said');
  const csrf = document.querySelector('meta[name="csrf"]').content;

  // An error in words for the person.
  class Told extends Error {}

  const say = (text, bad = false) => {
    said.textContent = text;
    said.classList.toggle('bad', bad);
  };

  const excuse = (error) => {
    if (error instanceof Told) return error.message;
    if (['NotAllowedError', 'AbortError'].includes(error.name)) {
      return signIn ? 'No passkey was used. Try again, or have a code mailed to you.' : 'No passkey was made. You can try again.';
    }
    if (error.name === 'InvalidStateError') return 'This device has a passkey for you already.';
    if (error.name === 'SecurityError') return 'Passkeys do not work at this address.';
    return 'That did not work in this browser.';
  };

  const refusal = (status) => {
    if (status === 429) return 'Too many tries. Wait a minute, then try again.';
    if (status === 403) return 'This page is out of date. Load it again, then try once more.';
    if (status >= 500) return 'Something is wrong on our side. Try again in a moment.';
    return signIn ? 'That passkey is not known here. Have a code mailed to you instead.' : 'The passkey could not be added. Try again.';
  };

  // Goes to an address of our own, and to no other. Until it is there, nothing here is worth a press.
  let leaving = false;
  const go = (location) => {
    const url = new URL(location, window.location.origin);
    if (url.origin !== window.location.origin) throw new Told('The server sent you elsewhere. You stay here, to be safe.');
    leaving = true;
    window.location.assign(url);
  };

  // Answers with null when the person is on the way to another page.
  const post = async (path, body) => {
    let response;
    try {
      response = await fetch(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', 'x-csrf': csrf },
        body: JSON.stringify(body),
        redirect: 'error',
      });
    } catch {
      throw new Told('The server cannot be reached. Look at your connection, then try again.');
    }
    const answer = await response.json().catch(() => ({}));
    if (answer.location) {
      go(answer.location);
      return null;
    }
    if (!response.ok) throw new Told(refusal(response.status));
    return answer;
  };

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const known = (list) => (list ?? []).map((entry) => ({ ...entry, id: bytes(entry.id) }));

  const requestOptions = ({ publicKey }) =>
    PublicKeyCredential.parseRequestOptionsFromJSON?.(publicKey) ?? {
      ...publicKey,
      challenge: bytes(publicKey.challenge),
      allowCredentials: known(publicKey.allowCredentials),
    };

  const creationOptions = (answer) => {
    const options = answer.publicKey ?? answer;
    return (
      PublicKeyCredential.parseCreationOptionsFromJSON?.(options) ?? {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: known(options.excludeCredentials),
      }
    );
  };

  // The same as toJSON, which some browsers lack and some password managers break.
  const plain = (credential) => {
    try {
      return credential.toJSON();
    } catch {
      const { response } = credential;
      const fields = {};
      for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
        if (response[name]) fields[name] = text(response[name]);
      }
      if (response.getTransports) fields.transports = response.getTransports();
      return {
        id: credential.id,
        rawId: text(credential.rawId),
        type: credential.type,
        authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
        clientExtensionResults: credential.getClientExtensionResults(),
        response: fields,
      };
    }
  };

  // Only one ceremony at a time: a new one ends the one before.
  let running = new AbortController();
  const alone = () => {
    running.abort();
    running = new AbortController();
    return running.signal;
  };

  // Answers with null when another ceremony has begun meanwhile.
  const choose = async (mediation) => {
    const signal = alone();
    const options = await post('/login/passkey/options', {});
    if (!options || signal.aborted) return null;
    const credential = await navigator.credentials.get({ publicKey: requestOptions(options), mediation, signal });
    return signal.aborted ? null : credential;
  };

  const enter = async (credential) => {
    say('One moment…');
    const return_to = document.querySelector('input[name="return_to"]').value;
    await post('/login/passkey', { credential: plain(credential), return_to });
  };

  const useOne = async () => {
    const credential = await choose();
    if (credential) await enter(credential);
  };

  const makeOne = async () => {
    const options = await post('/account/passkeys/options', {});
    if (!options) return;
    const credential = await navigator.credentials.create({ publicKey: creationOptions(options), signal: alone() });
    say('One moment…');
    const made = await post('/account/passkeys', { credential: plain(credential), name: add.elements.name.value.trim() });
    if (made) go('/account?done=added');
  };

  // What the person waits for: the button is theirs again when it has failed.
  const attempt = async (button, work) => {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      say(excuse(error), true);
      // The press has ended what was offered, and came to nothing.
      if (signIn && error.name === 'NotAllowedError') offer(button);
    } finally {
      button.disabled = leaving;
    }
  };

  // Offers passkeys in the list under the address field, without a press of the button.
  const offer = async (button) => {
    const before = running;
    const available = await PublicKeyCredential.isConditionalMediationAvailable?.().catch(() => false);
    // Whoever has pressed the button meanwhile is not interrupted.
    if (!available || running !== before) return;
    // Nobody has asked for it yet, so it fails without a word.
    const credential = await choose('conditional').catch(() => null);
    if (credential) await attempt(button, () => enter(credential));
  };

  const on = (button, work) => (event) => {
    event.preventDefault();
    say('Waiting for your passkey…');
    attempt(button, work);
  };

  if (!window.PublicKeyCredential || !navigator.credentials) {
    const none = part('none');
    if (none) none.hidden = false;
    return;
  }
  // A page that comes back out of the browser's memory was left for good: it sends what no longer counts.
  window.addEventListener('pageshow', (event) => event.persisted && window.location.reload());
  if (signIn) {
    const button = signIn.querySelector('button');
    signIn.hidden = false;
    button.addEventListener('click', on(button, useOne));
    offer(button);
  }
  if (add) {
    const { name } = add.elements;
    const platform = navigator.userAgentData?.platform || (/iPhone|iPad|Android|Mac|Windows|Linux/.exec(navigator.userAgent) ?? [''])[0];
    name.value = platform;
    add.hidden = false;
    add.addEventListener('submit', on(add.querySelector('button'), makeOne));
  }
})();
