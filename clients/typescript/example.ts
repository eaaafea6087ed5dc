// What somebody did a moment ago shows in what they are shown.
//
//     node dist/example.js 127.0.0.1:50051            # plain text, to loopback
//     KINDRED_KEY=kd_... node dist/example.js kindred.internal:443
import { randomUUID } from "node:crypto";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { CatalogService } from "./gen/kindred/v1/catalog_pb.js";
import { EventService, EventType } from "./gen/kindred/v1/event_pb.js";
import { RecommendationService, Tier } from "./gen/kindred/v1/recommendation_pb.js";

// sendKey adds the key to each call.
const sendKey = (key: string): Interceptor => (next) => (request) => {
  request.header.set("authorization", `Bearer ${key}`);
  return next(request);
};

// retry repeats what may be: reads, and writes of events that have ids, since the service
// counts an id once. Nobody there is worth another try, and nothing else is.
const retry: Interceptor = (next) => async (request) => {
  const read = request.service.typeName === RecommendationService.typeName;
  const repeatable = !request.stream && (read || request.method === EventService.method.writeEvents);
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(request);
    } catch (error) {
      if (!repeatable || attempt === 4 || ConnectError.from(error).code !== Code.Unavailable) throw error;
      await new Promise((wake) => setTimeout(wake, 50 * 2 ** attempt * (0.5 + Math.random() / 2)));
    }
  }
};

const addr = process.argv[2] ?? "127.0.0.1:50051";
const key = process.env.KINDRED_KEY;
const transport = createGrpcTransport({
  baseUrl: (key ? "https://" : "http://") + addr, // a key never goes in plain text
  defaultTimeoutMs: 10_000, // without it a call waits for ever
  interceptors: key ? [retry, sendKey(key)] : [retry],
});

const catalog = createClient(CatalogService, transport);
const events = createClient(EventService, transport);
const recommendations = createClient(RecommendationService, transport);

const uploaded = await catalog.upsertItems({
  items: [
    { id: "gel", title: "Gel pen, black" },
    { id: "ball", title: "Ballpoint pen, blue" },
    { id: "hose", title: "Garden hose, 20 m" },
    { id: "can", title: "Watering can for the garden" },
  ],
});
if (uploaded.errors.length > 0) throw new Error(uploaded.errors[0].description);

const bought = { id: randomUUID(), userId: "ann", itemId: "hose", type: EventType.PURCHASE };
const first = await events.writeEvents({ events: [bought] });
const again = await events.writeEvents({ events: [bought] });
console.log(`added ${first.added}, then ${again.added} and ${again.duplicates} duplicate`);

const page = await recommendations.recommend({
  subject: { userId: "ann" },
  limit: 1,
  minWriteToken: first.writeToken,
});
console.log(Tier[page.tier], page.items[0].itemId, "lag", String(page.info?.lag));

try {
  await recommendations.recommend({ filter: "price <" });
} catch (error) {
  const refused = ConnectError.from(error);
  console.log(Code[refused.code], refused.rawMessage.split(":")[0]);
}
