// Package wordpiece splits text into the tokens of BERT and its family.
//
// # The problem
//
// A model of language knows a fixed list of tokens: words, pieces of words and
// signs. A text has to be cut into these the same way as when the model was
// trained, or its vectors mean nothing. For BERT the rules are these:
//
//  1. Control, format and private-use characters and U+FFFD are removed, which
//     also removes bytes that are not UTF-8.
//  2. White space separates words. A Chinese character is a word by itself.
//  3. The text is decomposed (NFD) and nonspacing marks are removed: é becomes e.
//     Then it is lower-cased, character by character.
//  4. Punctuation characters are words by themselves, and so are the ASCII signs
//     that Unicode does not count as punctuation, such as $ and ^.
//  5. A word is cut from the left into the longest pieces that the vocabulary has;
//     a piece that does not start a word is written with "##" before it. If no
//     piece fits at some place, or the word is longer than 100 characters, the
//     whole word becomes [UNK].
//
// Nothing else is special: "[SEP]" in a text is five letters and signs, so that
// no customer can write a model's control tokens into a product title. Callers
// whose model wants [CLS] and [SEP] add them; [Vocabulary.ID] has their numbers.
//
// # Choices
//
// Exactly the reference. The rules above leave open which Unicode version they
// speak of. Models of this family come with the tokenizers library of Hugging
// Face, so its character classes, which are those of an old Unicode version, are
// stored in this package and do not change with Go's. Case and decomposition are
// Go's and x/text's: what a new Unicode version adds there are characters that
// these vocabularies lack. A test over every code point watches it.
//
// One pass. Titles are short, mostly ASCII, and there are millions of them. A run
// of ASCII letters is looked up where it lies, without a copy. Everything else
// goes through a buffer of one word on the stack. Nothing is allocated but what
// the caller's slice of ids needs to grow.
//
// A double-array trie holds the vocabulary, so that the longest piece is found in
// one walk over the letters: an array access for each.
//
// # How to use it
//
//	vocab, err := wordpiece.ReadVocabulary(file) // vocab.txt
//	...
//	tok, err := wordpiece.New(vocab, wordpiece.Options{})
//	...
//	ids, extent := tok.Append(ids[:0], "A4 paper, 500 sheets")
//	if extent.Truncated { ... } // longer than Options allow
//
// The zero Options are those of an uncased model. A cased one sets KeepCase and
// KeepAccents.
//
// # Source
//
// Wu et al. 2016, "Google's Neural Machine Translation System", and Devlin et al.
// 2018, "BERT", with its tokenization.py. The double array is Aoe's (1989), with
// the one-byte check of Yata's darts-clone.
package wordpiece
