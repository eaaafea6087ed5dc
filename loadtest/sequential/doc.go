// Package sequential compares the arms of an experiment in a way that may be looked at every day.
//
// # The problem
//
// The t-test of the textbooks holds if its data are looked at once, at a number of users fixed beforehand. People look every
// morning and stop when it says "significant"; with 20 looks at a difference that does not exist it says so to every fourth
// of them (the test in this package counts them). Waiting for the end is no answer where a variant may hurt.
//
// # The choice
//
// Confidence sequences: intervals that hold at all numbers of users at once, so that the chance that the truth ever leaves
// them is at most alpha, whenever and for whatever reason one stops looking. This package has
//
//   - [Test.Compare]: the difference of two arms' means, or of two ratios such as clicks per item shown, as an asymptotic
//     confidence sequence: the Gaussian mixture boundary of Robbins with the variance estimated (Waudby-Smith, Arbour, Sinha,
//     Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", 2024; Howard, Ramdas,
//     McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021). The test it belongs to is
//     the mixture sequential probability ratio test (Johari, Koomen, Pekelis, Walsh, "Always valid inference", 2022), whose
//     evidence is a likelihood ratio; one over the greatest so far is the always-valid p value.
//   - [Mismatch]: whether users fell to the variants in the shares that were meant (sample-ratio mismatch), by the sequential
//     multinomial test of Lindon and Malek, "Anytime-valid inference for multinomial count data", 2022. Where they did not,
//     something between the assignment and the log loses users, and no other figure of the experiment may be trusted.
//
// # The unit
//
// One user is one observation: people who click much click often, and their clicks are no independent evidence. A user's
// figures must be final when they are added, in the order in which users came: count for each what happened within a fixed
// time after the first list, and add the user when that time is over.
//
// # How to use it
//
//	test, err := sequential.NewTest(0.05, 20_000) // most powerful at about so many users
//	var a, b sequential.Arm
//	process := sequential.NewProcess(test)
//	for user := range users {
//		arm(user).Add(user.clicks, user.shown)
//		process.Look(&a, &b) // as often as one likes
//	}
//	fmt.Println(process.Last.Low, process.Last.High, process.P)
//
// # Contract
//
// The guarantee is asymptotic: it holds once the mean of an arm is near to normal. [Test] therefore gives no verdict before
// each arm has [MinUsers] users, [MinActive] of them with a numerator other than zero. Values must be finite. Nothing here is
// synchronised, and nothing allocates after construction but [Mismatch].
package sequential
