#!/usr/bin/env python3
"""Makes the small recordings of this folder anew: one for each kind of file that was once misread. No person's data: a
random walk with leak. Standard library only: python3 make.py"""
import os, random, struct

os.chdir(os.path.dirname(os.path.abspath(__file__)))
RATE = 250


def walk(n, seed=1):
    r, x, out = random.Random(seed), 0.0, []
    for _ in range(n):
        x = 0.9 * x + r.gauss(0, 4)
        out.append(x)
    return out


def edf(name, signals, records, record_s=1, reserved="", lists=None):
    """signals: (label, unit, samples a record, physical (low, high), values); lists(r): bytes of annotations."""
    rows = list(signals) + ([("EDF Annotations", "", 15, (-1, 1), None)] if lists else [])
    field = lambda value, width: str(value).encode("latin-1").ljust(width)[:width]
    head = field("0", 8) + field("X X X X", 80) + field("Startdate X X X X", 80) + field("01.01.2000.00.00", 16)
    head += field(256 * (len(rows) + 1), 8) + field(reserved, 44) + field(records, 8) + field(record_s, 8) + field(len(rows), 4)
    head += b"".join(field(s[0], 16) for s in rows) + b" " * 80 * len(rows) + b"".join(field(s[1], 8) for s in rows)
    for at in (0, 1):
        head += b"".join(field(s[3][at], 8) for s in rows)
    head += b"".join(field(-32768 if s[3][0] != s[3][1] else 0, 8) for s in rows)
    head += b"".join(field(32767 if s[3][0] != s[3][1] else 0, 8) for s in rows)
    head += b" " * 80 * len(rows) + b"".join(field(s[2], 8) for s in rows) + b" " * 32 * len(rows)
    body = b""
    for r in range(records):
        for _, _, n, (low, high), values in rows:
            if values is None:
                body += lists(r).ljust(2 * n, b"\0")
            else:
                scale = 65535 / (high - low) if high != low else 0
                body += b"".join(struct.pack("<h", round((v - low) * scale - 32768) if scale else 0) for v in values[r * n:(r + 1) * n])
    open(name, "wb").write(head + body)


def csv(name, rows, head="time,Fz"):
    open(name, "w").write(head + "\n" + "\n".join(rows) + "\n")


def xdf(name, *chunks):
    size = lambda n: b"\x01" + bytes([n]) if n < 256 else b"\x04" + struct.pack("<I", n)
    raw = lambda tag, content: size(len(content) + 2) + struct.pack("<H", tag) + content
    out = b"XDF:" + raw(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    open(name, "wb").write(out + b"".join(raw(tag, content) for tag, content in chunks))


def stream(number, name, rate):
    channel = "<channel><label>Fz</label><unit>uV</unit><type>EEG</type></channel>"
    xml = f'<?xml version="1.0"?><info><name>{name}</name><type>EEG</type><channel_count>1</channel_count>'
    xml += f"<nominal_srate>{rate}</nominal_srate><channel_format>float32</channel_format><desc><channels>{channel}</channels></desc></info>"
    return 2, struct.pack("<I", number) + xml.encode()


def samples(number, values, stamps):
    out = []
    for at in range(0, len(values), 25):
        body = b"".join(b"\x08" + struct.pack("<df", t, v) for v, t in list(zip(values, stamps))[at:at + 25])
        out.append((3, struct.pack("<I", number) + b"\x01" + bytes([len(values[at:at + 25])]) + body))
    return out


x = walk(5000)
uv = (-500, 500)
even = [f"{k / RATE:.3f},{x[k]:.1f}" for k in range(1500)]
csv("time_two_decimals.csv", [f"{k / RATE:.2f},{x[k]:.1f}" for k in range(1500)])
csv("loss_10_every_500.csv", [row for k, row in enumerate(even) if k % 500 < 490])
csv("text_column.csv", [row + ("," if k != 600 else ",go") for k, row in enumerate(even[:1250])], "time,Fz,marker")
csv("milliseconds.csv", [f"{4 * k},{x[k]:.1f}" for k in range(1250)])
csv("timestamps_header.csv", [f"{1.6e9 + k / RATE:.3f},{x[k]:.1f},{-x[k]:.1f}" for k in range(1250)], "timestamps,Fz,Cz")
open("last_row_cut.csv", "w").write("time,Fz\n" + "\n".join(even[:1249]) + "\n4.9")
bci = "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI$BoardCytonSerial\n"
bci += "Sample Index, EXG Channel 0, EXG Channel 1, Accel Channel 0, Other, Other, Timestamp, Other, Timestamp (Formatted)\n"
bci += "".join(
    f"{float(k % 256)}, {x[k]:.3f}, {-x[k]:.3f}, 0.0, 0.0, 192.0, {1.6e9 + (k // 10) * 0.04 + 0.001 * (k % 3):.4f}, 0.0, 2020-09-13 12:26:{40 + k // RATE:02d}.{4 * (k % RATE):03d}\n"
    for k in range(400)
)
open("openbci.txt", "w").write(bci)
edf("edfplusD_200ms_pauses.edf", [("Fz", "uV", 250, uv, x)], 12, reserved="EDF+D",
    lists=lambda r: b"+%.1f\x14\x14\0" % (r + (r // 2) * 0.2))
one = [30.0] * 20
edf("psg_eeg_100hz_others_1hz.edf", [("EEG Fpz-Cz", "uV", 100, uv, x), ("EEG Pz-Oz", "uV", 100, uv, x)]
    + [(label, "uV", 1, uv, one) for label in ("Resp oro-nasal", "EMG submental", "Temp rectal")], 12)
edf("blank_channel.edf", [("Fz", "uV", 250, uv, x), ("-", "uV", 250, (0, 0), x)], 5)
edf("duplicate_labels.edf", [("T8-P8", "uV", 250, uv, x), ("T8-P8", "uV", 250, uv, x[::-1])], 5)
edf("unit_dot_V.edf", [("Fz", ".V", 250, uv, x)], 5)
edf("event_marker_without_unit.edf", [("Fz", "uV", 250, uv, x), ("Event marker", "", 250, uv, [0.0] * 5000)], 5)
edf("legacy_edf_annotations.edf", [("Fz", "uV", 250, uv, x)], 10, lists=lambda r: b"+%d\x14\x14\0+%d\x14ev\x14\0" % (r, r))
edf("rate_199_84.edf", [("Fz", "uV", 200, uv, x)], 10, record_s=1.0008)
t = [1000 + k / RATE for k in range(1500)]
r = random.Random(3)
xdf("nominal_500_real_250.xdf", stream(1, "amp", 500), *samples(1, x[:1500], t))
xdf("jitter_1ms.xdf", stream(1, "amp", 250), *samples(1, x[:1500], [s + r.gauss(0, 0.001) for s in t]))
xdf("same_name_one_empty.xdf", stream(1, "amp", 250), stream(2, "amp", 250), *samples(2, x[:1000], t))
xdf("unescaped_ampersand.xdf", stream(1, "amp & co", 250), *samples(1, x[:100], t))
