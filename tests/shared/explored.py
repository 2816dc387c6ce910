"""The document of the explored page as its scripts read it."""


def texts(document, entry):
    """The cells of a column as the page's script writes them."""
    values = entry["values"]
    if "field" in entry:
        return [document["fields"][entry["field"]]["texts"][value] for value in values]
    if "words" in entry:
        return [entry["words"][value] for value in values]
    if "decimals" in entry:
        sign = "+" if entry.get("signed") else ""
        return ["–" if value is None else f"{value:{sign}.{entry['decimals']}f}" for value in values]
    return values


def typed(document, trial):
    """The command of a trial, joined as the page's script joins it."""
    parts, point = document["commands"], document["trials"]["point"][trial]
    columns = {entry["key"]: entry for entry in document["points"]["columns"]}
    flags = []
    for field in document["fields"]:
        if value := field["typed"][columns[field["name"]]["values"][point]]:
            flags.append(f"--config.{field['name']}={value}")
    seeds = parts["seeds"][parts["seed_of"][trial] if parts["seed_of"] else 0]
    ids = next(entry for entry in document["trials"]["columns"] if entry["key"] == "id")
    words = [parts["base"], *flags, seeds, parts["workdir"] + texts(document, ids)[trial]]
    return " ".join(filter(None, words))
