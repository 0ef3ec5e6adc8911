"""Tables of the presets: `python docs/preset_tables.py` prints what the page on them shows."""

from lbalgo import presets

SECRETS = (b"0123456789abcdef",)
SHOWN = {  # as the page calls them: what they are made of
    "alb()": presets.alb(),
    "alb(slow_start=30)": presets.alb(slow_start=30),
    "alb(secrets=...)": presets.alb(secrets=SECRETS),
    "alb(Routing.LEAST_OUTSTANDING_REQUESTS)": presets.alb(presets.Routing.LEAST_OUTSTANDING_REQUESTS),
    "alb(Routing.WEIGHTED_RANDOM, anomaly_mitigation=True)": presets.alb(
        presets.Routing.WEIGHTED_RANDOM, anomaly_mitigation=True
    ),
    "nlb()": presets.nlb(),
    "nginx_plus(slow_start=30)": presets.nginx_plus(slow_start=30),
    "zuul()": presets.zuul(),
    "google_maglev()": presets.google_maglev(),
    "unimog()": presets.unimog(),
    "katran(udp=True)": presets.katran(udp=True),
    "kubernetes(client_ip=True)": presets.kubernetes(client_ip=True),
    "cassandra()": presets.cassandra(),
}


def rows(cells):
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def names(parts):
    return ", ".join(f"`{type(part).__name__}`" for part in parts) or "none"


def overview():
    """Which parts each preset has."""
    table = [["preset", "policy", "signals", "gates"], ["---"] * 4]
    for call, preset in SHOWN.items():
        policy, signals, gates = preset.parts()
        table.append([f"`{call}`", names([policy]), names(signals), names(gates)])
    return rows(table)


def sections():
    """Everything that is known of the values of each preset, what an earlier one of the same system says left out."""
    out, said = [], set()
    for call, preset in SHOWN.items():
        known = {(preset.system, value.setting, value.shown) for value in preset.values()}
        values = [v for v in preset.values() if (preset.system, v.setting, v.shown) not in said]
        lines = [
            (title, [line for line in words if (preset.system, line) not in said])
            for title, words in (("Not confirmed:", preset.unconfirmed), ("Otherwise than there:", preset.differs))
        ]
        said |= known | {(preset.system, line) for words in (preset.unconfirmed, preset.differs) for line in words}
        table = [["setting", "value", "document", "section"], ["---"] * 4]
        table += [[f"`{v.setting}`", v.shown, v.document, v.section] for v in values]
        out += [f"### {preset.system}: `{call}`", rows(table)]
        out += [f"{title}\n\n" + "\n".join(f"- {line}" for line in some) for title, some in lines if some]
    return "\n\n".join(out)


if __name__ == "__main__":
    print(overview(), sections(), sep="\n\n")
