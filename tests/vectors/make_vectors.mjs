// Asks two independent calculators how they cut a few hundred texts and writes segments.json.
//
// This file holds no segmenter of its own. Where the calculators agree, their answer is the expected one.
// Where they do not, the case must carry the right answer, worked out by hand, and the reason why the other
// is wrong; a disagreement without a reason, or a reason without a disagreement, stops the run.
//
// Run: npm --prefix tests/vectors run vectors

import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const { SegmentedMessage } = require("sms-segments-calculator");
const splitSms = require("split-sms");

const CALCULATOR = "sms-segments-calculator";
const SPLITTER = "split-sms";

const GRAPHEMES =
  "keeps what a reader sees as one character whole; parts are filled by code units here, and a customer pays for full parts";

const ORACLES = {
  [CALCULATOR](text) {
    const message = new SegmentedMessage(text);
    return {
      encoding: message.encodingName === "GSM-7" ? "gsm7" : "ucs2",
      // Header pieces in a part have no `raw`.
      segments: message.segments.map((part) => Array.from(part, (char) => char.raw ?? "").join("")),
    };
  },
  [SPLITTER](text) {
    const split = splitSms.split(text);
    return {
      encoding: split.characterSet === "GSM" ? "gsm7" : "ucs2",
      segments: split.parts.map((part) => part.content),
    };
  },
};

const BASIC =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿" +
  "abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENSION = "\f^{}\\[~]|€";
const LOOKALIKES = {
  "lower c with cedilla": "ç",
  "upper A with grave": "À",
  "lower a with acute": "á",
  backtick: "`",
  tab: "\t",
  "vertical tab": "\v",
  null: "\0",
  escape: "\x1b",
  "no-break space": "\u00a0",
  "degree sign": "°",
  "micro sign": "µ",
  "cent sign": "¢",
  "ohm sign": "\u2126",
  "kelvin sign": "\u212a",
  "angstrom sign": "\u212b",
  "Greek upper Alpha": "\u0391",
  "Greek lower alpha": "α",
  "Cyrillic A": "А",
  "curly double quote": "“",
  "curly apostrophe": "’",
  "en dash": "–",
  ellipsis: "…",
  "fullwidth A": "Ａ",
  "zero width space": "\u200b",
  "byte order mark": "\ufeff",
};

const cases = [];
const add = (name, text, ruling) => cases.push({ name, text, ...ruling });
/** A ruling: the right answer, as UTF-16 lengths of the parts, and why each oracle that differs is wrong. */
const right = (encoding, lengths, wrong) => ({ right: { encoding, lengths }, wrong });

// Lengths around every border, for one character of each kind.
for (const [kind, char, lengths] of [
  ["basic", "a", [1, 2, 152, 153, 154, 159, 160, 161, 305, 306, 307, 458, 459, 460, 1529, 1530, 1531]],
  ["Greek basic", "Δ", [159, 160, 161, 306, 307]],
  ["accented basic", "é", [160, 161, 306, 307]],
  ["line feed", "\n", [160, 161, 306, 307]],
  ["extension", "^", [1, 76, 77, 79, 80, 81, 152, 153, 154, 228, 229, 760, 761]],
  ["euro", "€", [80, 81, 152, 153]],
  ["form feed", "\f", [79, 80, 81, 153]],
  ["Cyrillic", "ж", [1, 66, 67, 68, 69, 70, 71, 133, 134, 135, 201, 202, 670, 671]],
  ["Chinese", "文", [69, 70, 71, 134, 135]],
  ["Arabic", "ع", [70, 71, 134, 135]],
  ["emoji", "😀", [1, 33, 34, 35, 36, 66, 67, 68, 99, 100, 330, 331]],
]) {
  for (const length of lengths) add(`${length} × ${kind}`, char.repeat(length));
}

// An escape pair, and a surrogate pair, at every place around the first and the second border.
for (let before = 150; before <= 161; before++) {
  add(`${before} × a, ^`, "a".repeat(before) + "^");
  add(`${before} × a, ^, 20 × a`, "a".repeat(before) + "^" + "a".repeat(20));
}
for (let before = 303; before <= 307; before++) {
  add(`${before} × a, €, 10 × a`, "a".repeat(before) + "€" + "a".repeat(10));
  add(`^, ${before} × a, €, 10 × a`, "^" + "a".repeat(before) + "€" + "a".repeat(10));
}
for (let before = 64; before <= 71; before++) {
  add(`${before} × ж, emoji`, "ж".repeat(before) + "😀");
  add(`${before} × ж, emoji, 20 × ж`, "ж".repeat(before) + "😀" + "ж".repeat(20));
}
for (let before = 131; before <= 135; before++) {
  add(`${before} × ж, emoji, 10 × ж`, "ж".repeat(before) + "😀" + "ж".repeat(10));
}
add("152 × a, ^, 152 × a: one septet of the first part stays empty", "a".repeat(152) + "^" + "a".repeat(152));
add("66 × ж, emoji, 66 × ж: one unit of the first part stays empty", "ж".repeat(66) + "😀" + "ж".repeat(66));
add("a wasted septet in each of many parts", ("a".repeat(152) + "^").repeat(8));

// The alphabet: each character alone, all at once, and what only looks as if it were in it.
for (const char of BASIC + EXTENSION) {
  add(`U+${char.codePointAt(0).toString(16).padStart(4, "0")} alone`, char);
}
add("the whole alphabet", BASIC + EXTENSION);
add("the whole alphabet three times", (BASIC + EXTENSION).repeat(3));
for (const [name, char] of Object.entries(LOOKALIKES)) {
  add(`${name} is not GSM-7`, char);
  add(`160 × a with ${name}`, "a".repeat(100) + char + "a".repeat(59));
}

// What people write.
const natural = {
  "English one-time code": "Your OTP is 123456. Please use this code to verify your account.",
  Swahili:
    "Habari, umepokea KES 1,250.00 kutoka kwa Wanjiku. Salio lako jipya ni KES 8,430.75. Asante kwa kutumia huduma yetu.",
  "Swahili with the apostrophe of ng'ombe": "Ng'ombe wako wa malipo Na. 7 wamesajiliwa. Piga *123# kwa maelezo zaidi.",
  "Swahili with a curly apostrophe": "Ng’ombe wako wa malipo Na. 7 wamesajiliwa. Piga *123# kwa maelezo zaidi.",
  Arabic: "رمز التحقق الخاص بك هو 123456. من فضلك لا تشارك هذا الرمز مع أي شخص حفاظا على أمان حسابك.",
  Chinese: "您的验证码是123456，请勿将此验证码告诉他人。如非本人操作，请忽略本短信。感谢您使用我们的服务。",
  Amharic: "የማረጋገጫ ኮድዎ 123456 ነው። እባክዎ ይህንን ኮድ ለማንም አያጋሩ።",
  Somali: "Lambarka xaqiijinta waa 123456. Fadlan ha la wadaagin cid kale.",
  French: "Votre code est 123456. Ne le partagez avec personne. Merci d'être à l'écoute, à bientôt.",
  German: "Ihr Code lautet 123456. Bitte geben Sie ihn nicht weiter. Grüße aus Köln, Straße 5.",
  Greek: "Ο κωδικός σας είναι 123456.",
  "a template with brackets": "Dear {name}, your balance is [KES 500] ~ approx. €3.50 | ref \\A^1",
  "a link": "Pay at https://example.com/p/{id}?amount=500&ref=[A-1]~x|y before 12:00.",
  "emoji at the end": "Asante sana! 🎉",
};
for (const [name, text] of Object.entries(natural)) {
  add(name, text);
  add(`${name}, four times`, Array(4).fill(text).join(" "));
}

// CR LF is two characters.
add("CR LF between two words", "a\r\nb");
add("80 × CR LF", "\r\n".repeat(80));
add("81 × CR LF", "\r\n".repeat(81));
add("CR LF across a border", "a".repeat(152) + "\r\n" + "a".repeat(20));
add("CR LF across a border of UCS-2", "ж".repeat(66) + "\r\n" + "ж".repeat(20));

// Characters that readers see as one and that are several code points.
add("one flag", "🇰🇪");
add("17 flags", "🇰🇪".repeat(17));
add("18 flags", "🇰🇪".repeat(18), right("ucs2", [66, 6], { [CALCULATOR]: GRAPHEMES }));
add("33 flags", "🇰🇪".repeat(33), right("ucs2", [66, 66], { [CALCULATOR]: GRAPHEMES }));
add("34 flags", "🇰🇪".repeat(34), right("ucs2", [66, 66, 4], { [CALCULATOR]: GRAPHEMES }));
add("one family joined by zero width joiners", "👨‍👩‍👧‍👦");
add("7 families", "👨‍👩‍👧‍👦".repeat(7));
add("7 families after two letters", "aa" + "👨‍👩‍👧‍👦".repeat(7), right("ucs2", [66, 13], { [CALCULATOR]: GRAPHEMES }));
add("18 thumbs with a skin tone", "👍🏽".repeat(18), right("ucs2", [66, 6], { [CALCULATOR]: GRAPHEMES }));
add("e with a combining acute is not GSM-7", "e\u0301");
add("35 × e with a combining acute", "e\u0301".repeat(35));
add("36 × e with a combining acute", "e\u0301".repeat(36), right("ucs2", [67, 5], { [CALCULATOR]: GRAPHEMES }));
add(
  "a combining accent across a border",
  "a".repeat(66) + "e\u0301" + "a".repeat(20),
  right("ucs2", [67, 21], { [CALCULATOR]: GRAPHEMES }),
);
add("a keycap across a border", "ж".repeat(66) + "1\ufe0f\u20e3" + "ж".repeat(9), right("ucs2", [67, 11], { [CALCULATOR]: GRAPHEMES }));

// Mixtures drawn with a fixed seed, from characters that never join into one grapheme.
let state = 0x5eed;
const random = () => {
  // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const draw = (pool, length) =>
  Array.from({ length }, () => pool[Math.floor(random() * pool.length)]).join("");
const POOLS = {
  "GSM-7": Array.from(BASIC.replace("\r", "") + EXTENSION),
  "GSM-7, half of it extension": Array.from("abcdefghi " + EXTENSION),
  "UCS-2": Array.from("abcжщ文字ع€^ç "),
  "UCS-2 with emoji": Array.from("abcж文€^😀🎉🚀𝒳"),
};
for (const [name, pool] of Object.entries(POOLS)) {
  for (let i = 1; i <= 30; i++) {
    add(`mixture ${i} of ${name}`, draw(pool, 1 + Math.floor(random() * (name.startsWith("GSM") ? 480 : 220))));
  }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const names = new Set();
const problems = [];
const written = cases.map(({ name, text, right: ruled, wrong = {} }) => {
  if (names.has(name)) problems.push(`${name}: the name is taken`);
  names.add(name);
  const answers = {};
  for (const [oracle, ask] of Object.entries(ORACLES)) {
    const { encoding, segments } = ask(text);
    if (segments.join("") !== text) problems.push(`${name}: ${oracle} lost text`);
    answers[oracle] = { encoding, lengths: segments.map((part) => part.length) };
  }
  const expected = ruled ?? answers[SPLITTER];
  for (const [oracle, answer] of Object.entries(answers)) {
    const agrees = same(answer, expected);
    if (!agrees && !wrong[oracle]) {
      problems.push(`${name}: ${oracle} says ${JSON.stringify(answer)}, not ${JSON.stringify(expected)}`);
    }
    if (agrees && wrong[oracle]) problems.push(`${name}: ${oracle} is called wrong but agrees`);
  }
  if (expected.lengths.reduce((sum, n) => sum + n, 0) !== text.length) problems.push(`${name}: lengths do not add up`);
  return { name, text, expected, answers, wrong };
});
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}

const versions = Object.fromEntries(
  Object.keys(ORACLES).map((oracle) => [oracle, require(`${oracle}/package.json`).version]),
);
const lines = written.map((item) => "    " + JSON.stringify(item));
writeFileSync(
  new URL("segments.json", import.meta.url),
  `{\n  "oracles": ${JSON.stringify(versions)},\n  "cases": [\n${lines.join(",\n")}\n  ]\n}\n`,
);
console.log(`${written.length} cases, ${written.filter((item) => Object.keys(item.wrong).length > 0).length} disputed`);
