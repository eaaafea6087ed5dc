"""What somebody did a moment ago shows in what they are shown.

    python example.py 127.0.0.1:50051            # plain text, to loopback
    KINDRED_KEY=kd_... python example.py kindred.internal:443
"""

import json
import os
import sys
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from kindred.v1 import catalog_pb2, catalog_pb2_grpc, event_pb2, event_pb2_grpc
from kindred.v1 import recommendation_pb2, recommendation_pb2_grpc, types_pb2

DEADLINE = 10  # seconds; gRPC itself waits for ever

# Reads may be repeated when nobody answers. Writes of events may be too, since each event
# below has an id: the service counts it once. Nothing else is repeated.
RETRIES = json.dumps({
    "methodConfig": [{
        "name": [
            {"service": "kindred.v1.RecommendationService"},
            {"service": "kindred.v1.EventService", "method": "WriteEvents"},
        ],
        "retryPolicy": {
            "maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "1s",
            "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }],
})


def connect(addr, key):
    """A channel with TLS where there is a key, and without to loopback."""
    options = [("grpc.service_config", RETRIES)]
    if not key:
        return grpc.insecure_channel(addr, options)
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(), grpc.access_token_call_credentials(key))
    return grpc.secure_channel(addr, credentials, options)


def faults(error):
    """The fields that the service refused, each with what is wrong."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            return [(v.field, v.description) for v in bad.field_violations]
    return []


def main(addr):
    with connect(addr, os.environ.get("KINDRED_KEY")) as channel:
        catalog = catalog_pb2_grpc.CatalogServiceStub(channel)
        events = event_pb2_grpc.EventServiceStub(channel)
        recommendations = recommendation_pb2_grpc.RecommendationServiceStub(channel)

        items = [types_pb2.Item(id=i, title=t) for i, t in {
            "gel": "Gel pen, black", "ball": "Ballpoint pen, blue",
            "hose": "Garden hose, 20 m", "can": "Watering can for the garden",
        }.items()]
        reply = catalog.UpsertItems(catalog_pb2.UpsertItemsRequest(items=items), timeout=DEADLINE)
        assert not reply.errors, reply.errors

        bought = event_pb2.Event(
            id=str(uuid.uuid4()), user_id="ann", item_id="hose", type=event_pb2.EVENT_TYPE_PURCHASE)
        write = event_pb2.WriteEventsRequest(events=[bought])
        first = events.WriteEvents(write, timeout=DEADLINE)
        again = events.WriteEvents(write, timeout=DEADLINE)
        print(f"added {first.added}, then {again.added} and {again.duplicates} duplicate")

        page = recommendations.Recommend(recommendation_pb2.RecommendRequest(
            subject=types_pb2.Subject(user_id="ann"), limit=1, min_write_token=first.write_token,
        ), timeout=DEADLINE)
        print(recommendation_pb2.Tier.Name(page.tier), page.items[0].item_id, "lag", page.info.lag)

        try:
            recommendations.Recommend(
                recommendation_pb2.RecommendRequest(filter="price <"), timeout=DEADLINE)
        except grpc.RpcError as error:
            print(error.code().name, faults(error)[0][0])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
