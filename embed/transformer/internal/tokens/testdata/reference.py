"""Writes what the tokenizers library makes of hostile and ordinary texts.

    python3 reference.py TEXTS

TEXTS are titles, one a line, to train on. Two small tokenizers are trained with the
library (bpe.json as RoBERTa's, unigram.json as XLM-R's, with the map of characters of
SentencePiece's nmt_nfkc), and reference.jsonl gets their token numbers, special tokens
left out, of the texts below and of some of TEXTS.
"""
import json, sys, random
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, normalizers, processors

lines = [x.rstrip("\n") for x in open(sys.argv[1], encoding="utf-8")][:1500]
random.seed(1)
HARD = [
    "", " ", "\t\n ", "a", "don't we'll I've it's HE'S 'twas", "  two  spaces   three", "tab\there\nline", " leading and trailing ", "x\u00a0y\u2003z\u3000w",
    "ﬁne Ⅷ ½ № ™ ①", "ｆｕｌｌ ｗｉｄｔｈ", "café cafe\u0301 n\u0303", "한국어 각 가", "办公椅 黑色", "كرسي مكتب أسود", "🖊️📎 👩‍💼 🇩🇪", "\u202eabc\u202c", "zero\u200bwidth\ufeff",
    "12,345.67€ $9.99 50% 3/4\" x 1'", "___---===", "a" * 200, "日本語テキスト ﾃﾞｰﾀ", "İstanbul ǅ ß", "क्षि ผู้", "e\u0301\u0327 combining", "\u0301start", "mixed中文words123abc", "tail ",
]
texts = HARD + random.sample(lines, 60)

bpe = Tokenizer(models.BPE())
bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
bpe.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=900, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
bpe.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
bpe.save("bpe.json", pretty=False)

uni = Tokenizer(models.Unigram())
import io, sentencepiece as spm
model = io.BytesIO()
spm.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, vocab_size=600, normalization_rule_name="nmt_nfkc", minloglevel=2)
from transformers.convert_slow_tokenizer import import_protobuf
proto = import_protobuf().ModelProto.FromString(model.getvalue())
vocab = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]] + [[p.piece, p.score] for p in proto.pieces[3:]]
uni = Tokenizer(models.Unigram([(a, b) for a, b in vocab], 3))
uni.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
uni.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
uni.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
uni.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
uni.save("unigram.json", pretty=False)

with open("reference.jsonl", "w", encoding="utf-8") as out:
    for t in texts:
        row = {"text": t, "bpe": bpe.encode(t, add_special_tokens=False).ids, "unigram": uni.encode(t, add_special_tokens=False).ids}
        out.write(json.dumps(row, ensure_ascii=True) + "\n")
