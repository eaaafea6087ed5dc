package faults

import "google.golang.org/grpc/codes"

// What callers may be told. A dead or unreachable process: UNAVAILABLE. A full queue or too many requests: RESOURCE_EXHAUSTED.
var (
	down = []codes.Code{codes.Unavailable}
	full = []codes.Code{codes.ResourceExhausted}
)

// matrix is every fault, in order.
func matrix() []fault {
	list := []fault{
		{name: "kill-server", title: "kill -9 of the server under load, three times", inject: killServer, recommend: down, write: down},
		{name: "kill-encoder", title: "kill -9 of the encoder's worker, while the catalog grows", prepare: remoteEncoder, inject: killEncoder},
		{name: "disk-low", title: "the disk fills up to the reserve", prepare: smallDisk("160m", "--disk-reserve", "48MiB"), inject: fillReserve, write: down},
		{name: "disk-full", title: "something else takes the last byte of the disk", prepare: smallDisk("160m", "--disk-reserve", "48MiB"), inject: fillDisk, recommend: down, write: down, mayEnd: true},
		{name: "file-limit", title: "files may not grow past a size (RLIMIT_FSIZE)", inject: limitFiles, recommend: down, write: down, mayEnd: true},
		{name: "disk-slow", title: "each sync takes 200 ms longer", prepare: slowSyncs, inject: slowDisk, write: full},
		{name: "clock-step", title: "the wall clock steps by a day and back by more", prepare: shiftClock, inject: stepClock},
	}
	for _, k := range damages {
		list = append(list, fault{name: "damage-" + k.name, title: "flipped bits in, a cut and the loss of " + k.title, prepare: k.prepare, inject: k.inject, recommend: down, write: down})
	}
	return append(list,
		fault{name: "overload", title: "ten times as many requests at once as are admitted", prepare: fewPermits, inject: overload, recommend: full, write: full},
		fault{name: "flood", title: "more connections than are taken, on both ports", prepare: fewConnections, inject: flood},
		fault{name: "slow-loris", title: "callers who send a byte now and then, on both ports", inject: slowLoris},
		fault{name: "noise", title: "random bytes, broken HTTP/2 frames and gRPC messages, on both ports", inject: noise},
		fault{name: "giant", title: "messages of 64 MiB, and lengths of 4 GiB", inject: giant},
		fault{name: "resets", title: "streams begun and reset, tens of thousands (rapid reset)", inject: resets},
		fault{name: "stalled-reader", title: "callers who do not read the streams that they asked for", inject: stalledReaders},
	)
}
