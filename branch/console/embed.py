"""embed.py OUTPUT PATH=TYPE=FILE...: the files as the table of assets.h, in one C++ file."""
import sys


def literal(data):
    """`data` as string literals: printable ASCII as it is, all else as three octal digits."""
    lines = []
    for start in range(0, len(data), 1000):
        text = "".join(
            chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
            for byte in data[start:start + 1000])
        lines.append(f'"{text}"')
    return "\n".join(lines) or '""'


def main():
    output, assets = sys.argv[1], [part.split("=", 2) for part in sys.argv[2:]]
    with open(output, "w", encoding="ascii") as out:
        out.write('#include "branch/console/assets.h"\n\nnamespace bank::console {\n\n')
        out.write("const Asset kAssets[] = {\n")
        for path, kind, name in assets:
            with open(name, "rb") as file:
                data = file.read()
            out.write(f'{{"{path}", "{kind}; charset=utf-8", {{{literal(data)}, {len(data)}}}}},\n')
        out.write(f"}};\nconst unsigned long kAssetCount = {len(assets)};\n\n}}  // namespace bank::console\n")


main()
