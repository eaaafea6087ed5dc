package behaviour_test

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour"
)

func Example() {
	mean := behaviour.DefaultMean()
	if err := mean.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	ink, paper := []float32{1, 0}, []float32{0, 1}
	touches := []behaviour.Touch{
		{Vector: ink, Weight: 1, Age: 30 * 24 * time.Hour}, // viewed a month ago
		{Vector: nil, Weight: 1, Age: time.Minute},         // not encoded yet
		{Vector: paper, Weight: 1, Age: 0},                 // viewed just now
	}
	user := make([]float32, 2)
	ok, err := mean.Encode(user, touches)
	fmt.Printf("%.2f %v %v\n", user, ok, err)

	ok, err = mean.Encode(user, touches[1:2])
	fmt.Printf("%.2f %v %v\n", user, ok, err)
	// Output:
	// [0.24 0.97] true <nil>
	// [0.00 0.00] false <nil>
}
