"""Steps about data folders: a disk that fails under a running branch, and damage to a folder at rest."""
import os
import pathlib
import shutil
import subprocess

SECTOR_BYTES = 512


class FolderSteps:
    def build_faulty_disk(self):
        library = self.bank.folder / "faulty_disk.so"
        source = pathlib.Path(__file__).parent / "disk/faulty_disk.c"
        subprocess.run(["cc", "-std=gnu17", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        return library

    def do_disk(self, word, *fault):
        """disk TARGET ok|full|broken-write|broken-sync|short|slow MS"""
        self.last = self.targets(word)
        if fault == ("ok",):
            self.fault_over()
        else:
            self.fault()
        for branch in self.last:
            self.control[branch].write_text(" ".join(fault))

    def files(self, branch, pattern):
        found = sorted(p for p in self.bank.data(branch).glob(pattern) if p.is_file())
        assert found, f"no file matches {pattern} in {sorted(p.name for p in self.bank.data(branch).rglob('*'))}"
        return found

    def do_flip(self, word, pattern, where="random"):
        """Flips one bit of the newest matching file (of a random one for the pattern *): at a byte offset, at a fraction 0.x, or anywhere used."""
        for branch in self.targets(word):
            found = [p for p in self.files(branch, pattern) if p.stat().st_size > 0]
            path = self.rng.choice(found) if pattern == "*" else found[-1]
            bytes_ = bytearray(path.read_bytes())
            used = len(bytes_.rstrip(b"\0")) or len(bytes_)
            if where == "random":
                offset = self.rng.randrange(used)
            else:
                offset = int(float(where) * used) if "." in where else int(where)
            bytes_[offset] ^= 1 << self.rng.randrange(8)
            path.write_bytes(bytes_)

    def do_cut_file(self, word, pattern, count):
        """Removes the last `count` used bytes of the newest matching file (zeros take their place)."""
        for branch in self.targets(word):
            path = self.files(branch, pattern)[-1]
            bytes_ = path.read_bytes()
            used = len(bytes_.rstrip(b"\0"))
            path.write_bytes(bytes_[:used - int(count)] + b"\0" * (len(bytes_) - used + int(count)))


    def do_tear(self, word, pattern):
        """Blanks the last used sector of the newest matching file, as if a power loss had kept the others of its write only."""
        for branch in self.targets(word):
            path = self.files(branch, pattern)[-1]
            bytes_ = bytearray(path.read_bytes())
            last = (len(bytes_.rstrip(b"\0")) - 1) // SECTOR_BYTES * SECTOR_BYTES
            bytes_[last:last + SECTOR_BYTES] = bytes(SECTOR_BYTES)
            path.write_bytes(bytes_)

    def do_wipe(self, word):
        for branch in self.targets(word):
            shutil.rmtree(self.bank.data(branch))

    def do_save_folder(self, word):
        for branch in self.targets(word):
            shutil.copytree(self.bank.data(branch), self.bank.folder / f"saved-{branch}")

    def do_restore_folder(self, word):
        for branch in self.targets(word):
            shutil.rmtree(self.bank.data(branch))
            shutil.copytree(self.bank.folder / f"saved-{branch}", self.bank.data(branch))

    def do_give_folder(self, giver, taker):
        """The taker's folder becomes a copy of the giver's; the taker's own is kept aside."""
        (a,), (b,) = self.targets(giver), self.targets(taker)
        os.rename(self.bank.data(b), self.bank.folder / f"aside-{b}")
        shutil.copytree(self.bank.data(a), self.bank.data(b))

    def do_take_back_folder(self, word):
        for branch in self.targets(word):
            shutil.rmtree(self.bank.data(branch))
            os.rename(self.bank.folder / f"aside-{branch}", self.bank.data(branch))
