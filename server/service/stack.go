package service

// callStack is what a call takes of its goroutine's stack at most, about.
const callStack = 12 << 10

// deepen has the stack of the calling goroutine grow at once to what a call takes. Calls past the stream workers have a goroutine
// of their own, whose stack begins with few KiB and doubles as they go deeper; each time all frames are copied, and under load that
// took a twentieth of the processor. Here there are few frames yet, and the runtime goes to the size that is asked for in one step.
// Where there is room it does nothing.
//
//go:noinline
func deepen(never bool) byte {
	if !never {
		return 0
	}
	var room [callStack]byte // in the frame, which the entry makes room for; not cleared, for nobody comes here
	fill(room[:])
	return room[len(room)-1]
}

//go:noinline
func fill(room []byte) {
	for i := range room {
		room[i] = byte(i)
	}
}
