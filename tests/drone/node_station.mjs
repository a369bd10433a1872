// A ground station on node-mavlink, which shares no code with pymavlink or MAVSDK. It finds the
// camera over TCP, selects a rectangle, watches the states, and stops.
//
//   node node_station.mjs MODULES PORT WORD FRAMES LEFT TOP RIGHT BOTTOM
//
// MODULES: the folder of node_modules. WORD: to sign with, "" for none. The box: shares of the frame.
// The last line that it prints is JSON: [frame, status, left, top, right, bottom] of each state, and
// how many packets had no good signature.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [modules, port, word, frames, ...shares] = process.argv.slice(2)
const library = createRequire(join(modules, 'node_modules', '/'))('node-mavlink')
const { MavTCP, MavLinkPacketSignature, minimal, common, waitFor } = library
const [left, top, right, bottom] = shares.map(Number)
const key = word ? MavLinkPacketSignature.key(word) : null
const kinds = { ...minimal.REGISTRY, ...common.REGISTRY }
const link = new MavTCP()
const heard = []
let unsigned = 0

link.on('data', packet => {
  if (key && !packet.signature?.matches(key)) unsigned += 1
  const kind = kinds[packet.header.msgid]
  if (kind) heard.push([kind.MSG_NAME, packet.protocol.data(packet.payload, kind)])
})
link.on('error', () => {})

async function waited(name, since = 0, right = () => true) {
  const one = () => heard.slice(since).find(([heardName, data]) => heardName === name && right(data))
  return (await waitFor(one, 10000, 5))[1]
}

async function command(Kind, fields = {}) {
  const sent = Object.assign(new Kind(1, 100), fields)
  const since = heard.length
  await (key ? link.sendSigned(sent, key, 1, 255, 190) : link.send(sent, 255, 190))
  const done = ack => ack.command === sent.command && ack.result !== common.MavResult.IN_PROGRESS
  const { result } = await waited('COMMAND_ACK', since, done)
  console.log(Kind.name, JSON.stringify(fields), common.MavResult[result])
}

const text = letters => String.fromCharCode(...letters).replaceAll('\0', '')

await link.start('127.0.0.1', Number(port))
await waited('HEARTBEAT')
await command(common.RequestMessageCommand, { messageId: common.CameraInformation.MSG_ID })
const { vendorName, modelName, flags } = await waited('CAMERA_INFORMATION')
console.log(text(vendorName), text(modelName), 'flags', flags)
await command(common.RequestMessageCommand, { messageId: common.CameraSettings.MSG_ID })
const state = common.CameraTrackingImageStatus.MSG_ID
await command(common.SetMessageIntervalCommand, { messageId: state, interval: 20000 })
await command(common.CameraTrackRectangleCommand, {
  topLeftCornerX: left, topLeftCornerY: top, bottomRightCornerX: right, bottomRightCornerY: bottom
})
await waited('NAMED_VALUE_INT', 0, data => data.value >= Number(frames))
await command(common.CameraStopTrackingCommand)
await command(common.ImageStartCaptureCommand, { totalImages: 1, sequenceNumber: 1 })

const states = []
let frame = -1
for (const [name, data] of heard) {
  if (name === 'NAMED_VALUE_INT') frame = data.value
  if (name === 'CAMERA_TRACKING_IMAGE_STATUS') {
    states.push([frame, data.trackingStatus, data.recTopX, data.recTopY, data.recBottomX, data.recBottomY])
  }
}
console.log(JSON.stringify({ states, unsigned }))
process.exit(0)
