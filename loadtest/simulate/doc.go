// Package simulate is a shop whose truth is known. It compares recommenders by what they bring there, and writes logs whose
// right answers stand beside them.
//
// # The problem
//
// A hold-out asks what people did; it cannot say what they would have done with another list, and rewards whoever repeats the
// old one. A live experiment can, but never what the best list would have been. In a simulated shop both are computable: regret
// is the expected value of the best list at the moment of a visit, less that of the list shown. What it says about a real
// shop is another matter: differences of a simulation are of its assumptions too, which is why they are few and stand here.
//
// # The world
//
// [World] follows from a [Config]: any item, user or visit is a pure function of the seed and its number, drawn from a stream
// of its own, so that worlds of any size need no memory, and the order of asking changes nothing.
//
//   - An item has a latent vector: its topic's, plus what its words, style and brand add, plus a part that no text says. Title,
//     description, category, tags and brand are those words, so text carries most of the truth and behaviour the rest. It has
//     a price, a quality that shows after the click, and an appeal that shows in the list. Some are variants of one product.
//   - A user has a taste in the same space, which turns by Config.Drift radians a day, and minds prices more or less. How often
//     users come falls by Zipf's law. Topics have their seasons. New items come each day.
//   - The log odds of a click on an item that is looked at, and of a purchase after the click, are linear in the affinity (inner
//     product of taste and item), season, appeal, quality and thrift × price (truth.go). What somebody has bought they hardly
//     want again.
//   - A list is read by a position-based or a cascade model ([Clicks]).
//   - Buyers rate, and some comment in words that agree with their stars. Some visits look around without the list. Robots
//     click on nearly all; they are in the logs and in no figure.
//   - A visit without a click makes a user less content, and who is not content may leave for good (retention).
//
// # The comparison
//
// [Run] gives each policy a copy of the world. Days of random lists come first, the same in all copies. Then, day by day, items arrive,
// users visit, see a list, click and buy, and the policy learns. All chance hangs on the visit and the item or slot (common
// random numbers), so copies differ by what was shown alone and differences are paired. Visits of different users that come
// one after another are answered from one state, Options.Window at most; their events are written before the next are asked.
//
// Policies: kindred (a live server, over gRPC: lists by Recommend, events with the ids of replies and impressions, new items by the
// catalog, on request training and promotion between days), neighbours (item-to-item co-visitation), popularity, random, and oracle,
// the best list by the truth, found exactly over all items (oracle.go).
//
//	o := simulate.DefaultOptions()
//	o.Policies, o.Connect = simulate.PolicyNames(), simulate.Self
//	result, err := simulate.Run(ctx, simulate.DefaultConfig(), o)
//	err = result.WriteTable(os.Stdout)
//
// A server that fails in the middle ends the run: Result.Failure says at which visit, and the figures are of the days that all
// copies had ended, so that they stay paired.
//
// # Figures
//
// Lists alone count, not what was found by looking around. Rates over visits compare visits that happened: a policy that drives
// unhappy users away looks better by them, so see figures by user beside them. Intervals are 95%: with fewer than 3 seeds over
// users, each user a cluster, ratios linearized (delta method); users of one world teach the same policy, and that dependence is
// not in them. From 3 seeds on they are over worlds, with Student's t, and it is. Exposure: the Gini coefficient over all items on
// the shelves, and the share of slots by tenth of popularity when the day began, which shows the feedback loop.
//
// # Files
//
// [Write] lets the days pass under lists drawn at random from a pool of candidates. It writes items.jsonl and events.jsonl (package
// dataset); decisions.jsonl, kindred.v1.Decision in the JSON form of protobuf with all candidates and exact propensities, and
// feedback.jsonl, the clicks and purchases on them as kindred.v1.Event, both for package ope; and truth.json: what named
// policies over the same candidates bring, with the names of ope's targets where it has them. [Recorder] writes the logs of a
// comparison.
//
//	go run ./loadtest simulate --write DIR
//	go run ./loadtest ope --format kindred --decisions DIR/decisions.jsonl --events DIR/feedback.jsonl --target uniform,temperature=0.5
//
// # Determinism
//
// The same Config and Options give the same files and, without kindred, the same Result but for its seconds. With kindred that
// holds as far as the server's answers do: each ask has a seed and waits for the last write.
//
// Sources: D. Rohde et al., "RecoGym" (2018), and E. Ie et al., "RecSim" (2019), for the closed loop; A. J. B. Chaney, B. M. Stewart, B. E.
// Engelhardt, "How algorithmic confounding in recommendation systems increases homogeneity and decreases utility" (2018), for the
// feedback loop. Click models are named in clicks.go.
package simulate
