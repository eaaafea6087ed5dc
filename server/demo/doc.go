// Package demo is a small simulated shop, and a story told with it: what a new user of Kindred sees first.
//
// # The shop
//
// [Generate] makes a catalog of about 500 items in eight departments, with brands, prices, stock, tags, variants and
// descriptions; shoppers with tastes; and some weeks of their visits. All of it follows from a seed and an end: the same
// [Config] gives the same shop to the byte. The texts are written by hand in shelves_*.go, a file for each department;
// brands, prices, stock and ratings are drawn.
//
// A shopper likes one to three departments, a few shelves in each, and minds prices more or less. A visit has an aim: to
// look at something liked, to buy again what is used up, or to buy what goes with the last purchase (a printer, then its
// ink, then paper). It compares a few items of one shelf, and may end in a cart and a purchase; ratings come days later.
// Popular items are viewed more. So the log has what a recommender can learn: taste, brand, price, order and trend.
//
// The data are made up. They show that all works, and say nothing about how well: that is for `loadtest evaluate` on real
// logs.
//
// # The story
//
// [Tell] uploads the shop over the same gRPC calls that any client has, with [Options.Train] trains a model of its log and
// has that serve, then follows three people: a regular, an anonymous
// visitor on a product page, and somebody new. For each it prints the recommendations before, the clicks, and the
// recommendations after, with what is new and why; each reply is asked to reflect the last click by its write token. Then
// an item sells out and is gone from the next reply, a filter is applied, and the neighbours of one item are shown. What is
// printed is what the service answered; a broken promise (a sold-out item that is still recommended) is an error.
//
// # For tests
//
// [Small] is a shop of a few dozen users for the tests of other packages. [Shop] has events in time order, ready to send.
package demo
