"""Writes reference.json: what sentence-transformers makes of a few texts.

    python3 reference.py MODEL_DIR > reference.json

Each row has the text, the first eight components of its vector of unit length, and the
number of tokens, special ones included, after truncation. Made with sentence-transformers
5 on all-MiniLM-L6-v2 in float32 on a processor.
"""
import json, sys
from sentence_transformers import SentenceTransformer

TEXTS = [
    "Canon ink cartridge", "a", "A4 paper, 500 sheets, 80 g/m²", "naïve café №5", "desk lamp, black (3-pack) - $12.99!!",
    "办公椅 黑色", "كرسي مكتب أسود", "🖊️ gel pens 📎", "Ⅷ ﬁne İstanbul", "x" * 150,
    "pneumonoultramicroscopicsilicovolcanoconiosis", "Stapler. " * 200,
    "Avery Easy Peel Address Labels with Sure Feed Technology, 1 x 2-5/8 Inches, White, Pack of 750 (8160)",
]
model = SentenceTransformer(sys.argv[1], device="cpu")
vectors = model.encode(TEXTS, batch_size=1, normalize_embeddings=True)
rows = [{"text": t, "tokens": int(model.tokenize([t])["input_ids"].shape[1]), "vector": [round(float(x), 7) for x in v[:8]]}
        for t, v in zip(TEXTS, vectors)]
print("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]")
