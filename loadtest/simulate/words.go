package simulate

import "strings"

// topic is what a shelf of the shop is about: its place in the categories, a usual price, and the words that its items are
// described with. The words are plain English, so that a text encoder that knows English can tell what is near what.
type topic struct {
	department, shelf string
	cents             int64 // a usual price
	words             []string
}

func shelf(department, name string, cents int64, words string) topic {
	t := topic{department, name, cents, strings.Fields(words)}
	if len(t.words) != wordsPerTopic {
		panic("simulate: a topic needs 16 words: " + name) // seen by every test
	}
	return t
}

const wordsPerTopic = 16

var topics = []topic{
	shelf("Kitchen", "Knives", 4500, "knife blade chef paring cleaver steel sharpener block santoku boning carving scissors sheath whetstone fillet mandoline"),
	shelf("Kitchen", "Coffee", 3500, "coffee espresso grinder filter kettle beans moka latte roast carafe frother tamper drip crema barista decaf"),
	shelf("Kitchen", "Baking", 2200, "baking cake flour oven muffin whisk pastry dough icing cookie rolling tin mixer yeast sieve spatula"),
	shelf("Garden", "Plants", 1500, "plant seed rose tulip herb lavender fern shrub bulb orchid cactus ivy tomato basil sapling moss"),
	shelf("Garden", "Tools", 3200, "spade rake shovel hose wheelbarrow pruner trowel hoe sprinkler lawn hedge mower shears gloves fork twine"),
	shelf("Outdoors", "Camping", 7500, "tent sleeping camp lantern stove hammock backpack pegs tarp compass canteen mattress firewood cooler rope headlamp"),
	shelf("Outdoors", "Fishing", 4200, "fishing rod reel lure bait hook trout salmon line tackle net waders angler bobber sinker carp"),
	shelf("Outdoors", "Cycling", 9900, "bicycle helmet saddle pedal chain tyre brake handlebar pump wheel spoke jersey mudguard derailleur bell pannier"),
	shelf("Sports", "Football", 3900, "football goalkeeper boots jersey shin pitch striker ball whistle referee cones goal socks league captain stadium"),
	shelf("Sports", "Yoga", 2900, "yoga mat stretch meditation pilates balance cushion strap bolster breathing lotus incense leggings wellness posture foam"),
	shelf("Sports", "Swimming", 2600, "swimming goggles pool fins snorkel swimsuit towel diving cap float lane wetsuit mask paddle nose surf"),
	shelf("Music", "Guitars", 19900, "guitar strings amplifier pick fretboard acoustic bass pedal capo strap tuner chord pickup ukulele banjo slide"),
	shelf("Music", "Pianos", 29900, "piano keyboard synthesizer organ pedal sheet metronome octave bench keys grand sonata melody chords hammer concerto"),
	shelf("Books", "Mystery", 1400, "detective murder mystery crime thriller clue suspect inspector corpse alibi noir investigation killer sleuth conspiracy witness"),
	shelf("Books", "Fantasy", 1600, "dragon wizard magic sword elf kingdom quest sorcerer prophecy throne dwarf spell castle knight witch realm"),
	shelf("Books", "History", 2400, "history empire war ancient revolution medieval king century battle roman treaty archive dynasty colony senate chronicle"),
	shelf("Toys", "Building", 3400, "bricks blocks building construction crane tower puzzle gears model magnets railway bridge robot figures rocket tracks"),
	shelf("Toys", "Dolls", 2700, "doll dollhouse dress pram teddy plush princess puppet stroller bear cradle costume bunny tea fairy unicorn"),
	shelf("Office", "Writing", 900, "pen pencil ink notebook paper marker eraser fountain ballpoint journal highlighter crayon stationery envelope sketchbook ruler"),
	shelf("Office", "Furniture", 18900, "desk chair drawer cabinet lamp shelf monitor armrest bookcase footrest filing swivel table workstation organizer whiteboard"),
	shelf("Electronics", "Audio", 8900, "headphones speaker bluetooth microphone earbuds stereo subwoofer turntable vinyl soundbar receiver radio noise wireless audio woofer"),
	shelf("Electronics", "Cameras", 34900, "camera lens tripod shutter flash film aperture zoom photo sensor viewfinder portrait selfie battery telephoto mirrorless"),
	shelf("Pets", "Dogs", 2300, "dog leash puppy collar kennel bone biscuit muzzle harness fetch terrier bowl paw obedience chew hound"),
	shelf("Pets", "Cats", 1900, "cat kitten litter scratching catnip feather whiskers mouse tunnel purr tuna perch grooming feline yarn basket"),
}

// styles are adjectives that items of all topics may have.
var styles = strings.Fields("vintage modern rustic minimal luxury compact sturdy colourful elegant classic sporty organic professional lightweight handmade industrial")

var materials = strings.Fields("wood steel cotton leather glass bamboo ceramic plastic wool aluminium canvas copper rubber linen silicone cork")

// Brand names are made of two syllables, and every topic has its own.
var (
	brandStarts = strings.Fields("Nor Cal Hal Vel Bra Ost Lin Mar Tor Fen Gri Sol")
	brandEnds   = strings.Fields("dby dera den mont vik berg holm stad wick ford")
)

const brandsPerTopic = 12

// opinions that agree with having liked, or not liked, an item. %s is a word of it.
var (
	praise = []string{
		"I love this %s, excellent quality and a great price.",
		"The %s works perfectly. Very happy, I would buy it again.",
		"Wonderful! The best %s I have had so far.",
		"A beautiful %s, better than expected. Highly recommended.",
	}
	lukewarm = []string{
		"The %s is okay. It does what it should, no more.",
		"An average %s for the money.",
	}
	blame = []string{
		"Terrible quality, the %s broke after a week. Very disappointed.",
		"I hate this %s. A waste of money, do not buy it.",
		"The %s is bad and nothing like the picture. I sent it back.",
		"Poor %s, awful smell, horrible service.",
	}
)
