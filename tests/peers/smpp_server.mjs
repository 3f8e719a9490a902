// A carrier on the npm package `smpp`. Prints one JSON object a line for each thing that happens.
import fs from 'node:fs';
import smpp from 'smpp';

const [keyFile, certFile] = process.argv.slice(2);
const options = keyFile ? { key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile) } : {};
const throttled = new Set();
const receivers = new Set();
let lastId = 0xa0f0;
let held = null;

function tell(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}

function seen(pdu) {
  const message = pdu.short_message?.message;
  const payload = pdu.message_payload?.message;
  const text = Buffer.isBuffer(message) ? message.toString('hex') : message;
  return {
    source: [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr],
    destination: [pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr],
    text,
    udh: pdu.short_message?.udh ? Buffer.concat(pdu.short_message.udh.map((part) => Buffer.from(part))).toString('hex') : null,
    payload: Buffer.isBuffer(payload) ? payload.toString('hex') : payload,
    sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
    data_coding: pdu.data_coding,
    esm_class: pdu.esm_class,
    registered_delivery: pdu.registered_delivery,
    service_type: pdu.service_type,
    validity_period: pdu.validity_period,
  };
}

function report(pdu, id) {
  const [receiver] = receivers;
  if (receiver === undefined) return;
  const text = `id:${id} sub:001 dlvrd:001 submit date:2611221030 done date:2611221031 stat:DELIVRD err:000 text:`;
  const fields = {
    source_addr: pdu.destination_addr,
    source_addr_ton: 1,
    source_addr_npi: 1,
    destination_addr: pdu.source_addr,
    esm_class: 4,
    short_message: text,
    receipted_message_id: String(id),
    message_state: 2,
  };
  receiver.deliver_sm(fields, (answer) => tell('receipt_answered', { status: answer.command_status }));
}

function writeBack(pdu) {
  const [receiver] = receivers;
  for (const [short_message, data_coding] of [['STOP @ [€]', 0], ['Acha 😀', 8]]) {
    const fields = {
      source_addr: pdu.destination_addr,
      source_addr_ton: 1,
      source_addr_npi: 1,
      destination_addr: pdu.source_addr,
      short_message,
      data_coding,
    };
    receiver.deliver_sm(fields, (answer) => tell('inbound_answered', { status: answer.command_status }));
  }
}

function take(session, pdu) {
  const id = ++lastId;
  session.send(pdu.response({ message_id: id.toString(16).toUpperCase().padStart(10, '0') }));
  report(pdu, id);
}

function submitted(session, pdu) {
  tell('submit_sm', seen(pdu));
  const digits = String(pdu.destination_addr).slice(-4);
  const before = held;
  held = null;
  if (digits === '0001') {
    session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
  } else if (digits === '0002' && !throttled.has(pdu.destination_addr)) {
    throttled.add(pdu.destination_addr);
    session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
  } else if (digits === '0003') {
    held = pdu;
  } else if (digits === '0004') {
    session.destroy();
  } else {
    take(session, pdu);
    if (digits === '0005') writeBack(pdu);
  }
  if (before !== null) take(session, before);
}

function served(session) {
  const bind = (receives) => (pdu) => {
    tell(pdu.command, { system_id: pdu.system_id, system_type: pdu.system_type });
    if (pdu.password === 'wrong') {
      session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
      session.close();
      return;
    }
    session.send(pdu.response({ system_id: 'foreign' }));
    if (receives) receivers.add(session);
  };
  session.on('bind_transceiver', bind(true));
  session.on('bind_receiver', bind(true));
  session.on('bind_transmitter', bind(false));
  session.on('submit_sm', (pdu) => submitted(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    tell('unbind');
    session.send(pdu.response());
    session.close();
  });
  session.on('close', () => receivers.delete(session));
  session.on('error', (error) => tell('error', { message: String(error) }));
}

const server = smpp.createServer(options, served);
server.listen(0, '127.0.0.1', () => tell('listening', { port: server.address().port }));
