// A phone of JsSIP, the SIP stack of many web pages, under node: signalling by WebSocket.
//
// node phone.js URL NUMBER PASSWORD SERVER RTP_PORT
//
// Reads "call NUMBER", "hangup", "hold", "resume", "press KEYS" (by INFO), "transfer NUMBER", "join"
// (its last two calls) and "quit" from its input, answers whoever calls, and prints an event on each
// line. Node has no WebRTC: what stands for a browser's RTCPeerConnection here only says in SDP that
// plain RTP is wanted at RTP_PORT.

"use strict";

const readline = require("node:readline");

const [url, number, password, server, rtpPort] = process.argv.slice(2);

class Description {
  constructor({ type, sdp }) {
    this.type = type;
    this.sdp = sdp;
  }
}

class Connection extends EventTarget {
  constructor() {
    super();
    this.iceGatheringState = "complete";
    this.iceConnectionState = "connected";
    this.signalingState = "stable";
    this.localDescription = null;
    this.remoteDescription = null;
    this.version = 0;
  }

  async createOffer() {
    return this._description("offer");
  }

  async createAnswer() {
    return this._description("answer");
  }

  _description(type) {
    const sdp = [
      "v=0", `o=- 1 ${++this.version} IN IP4 127.0.0.1`, "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
      `m=audio ${rtpPort} RTP/AVP 0`, "a=rtpmap:0 PCMU/8000", "a=sendrecv", "",
    ].join("\r\n");
    return new Description({ type, sdp });
  }

  async setLocalDescription(description) {
    this.localDescription = description;
    this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
  }

  async setRemoteDescription(description) {
    this.remoteDescription = description;
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
    const media = /^m=audio (\d+) /m.exec(description.sdp);
    tell(`media ${media ? media[1] : "none"}`);
  }

  addTrack() {}

  getSenders() {
    return [];
  }

  getReceivers() {
    return [];
  }

  close() {
    this.signalingState = "closed";
  }
}

const stream = { getTracks: () => [], getAudioTracks: () => [], getVideoTracks: () => [] };

Object.assign(globalThis, {
  window: globalThis,
  WebSocket: require("ws"),
  RTCPeerConnection: Connection,
  RTCSessionDescription: Description,
});

const JsSIP = require("jssip");

function tell(line) {
  process.stdout.write(`${line}\n`);
}

const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(url)],
  uri: `sip:${number}@${server}`,
  password,
  connection_recovery_min_interval: 1,
  connection_recovery_max_interval: 2,
});

const sessions = [];
let current = null;
const referred = {
  accepted: () => tell("transferred"),
  failed: () => tell("transfer failed"),
};

phone.on("connected", () => tell("connected"));
phone.on("disconnected", () => tell("disconnected"));
phone.on("registered", () => tell("registered"));
phone.on("registrationFailed", ({ cause }) => tell(`registration failed: ${cause}`));
phone.on("newRTCSession", ({ originator, session }) => {
  current = session;
  sessions.push(session);
  session.on("progress", () => tell("ringing"));
  session.on("confirmed", () => tell("talking"));
  session.on("failed", ({ cause }) => tell(`failed: ${cause}`));
  // Its own hold is told of when the other party has agreed: before that, no other can begin.
  session.on("hold", ({ originator: who }) => who === "remote" && tell("held by remote"));
  session.on("unhold", ({ originator: who }) => who === "remote" && tell("resumed by remote"));
  session.on("newDTMF", ({ originator: who, dtmf }) => tell(`key ${dtmf.tone} by ${who}`));
  session.on("ended", ({ originator: who }) => tell(`ended by ${who}`));
  if (originator === "remote") {
    tell(`called by ${session.remote_identity.uri.user}`);
    session.answer({ mediaStream: stream });
  }
});

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [verb, target] = line.split(" ");
  if (verb === "call") {
    phone.call(`sip:${target}@${server}`, { mediaStream: stream });
  } else if (verb === "hangup") {
    current.terminate();
  } else if (verb === "hold") {
    current.hold({}, () => tell("held by local"));
  } else if (verb === "resume") {
    current.unhold({}, () => tell("resumed by local"));
  } else if (verb === "press") {
    current.sendDTMF(target, { transportType: "INFO" });
  } else if (verb === "transfer") {
    current.refer(`sip:${target}@${server}`, { eventHandlers: referred });
  } else if (verb === "join") {
    sessions.at(-2).refer(current.remote_identity.uri, {
      replaces: current,
      eventHandlers: referred,
    });
  } else if (verb === "quit") {
    phone.stop();
  }
});

phone.start();
