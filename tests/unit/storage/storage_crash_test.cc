// Goal: whatever the moment of a crash or a disk error, the next start finds every acknowledged
// vote, entry and snapshot, at most some of what was still under way, and never refuses.
// Method: random calls against the model; the power goes, the process dies or a call fails at a
// random place, again and again. A failure prints its seed.
#include <random>

#include "tests/support/storage_model.h"

namespace bank::storage {
namespace {

class RandomLife {
 public:
  explicit RandomLife(uint64_t seed) : random_(seed), fs_(seed ^ 0x5eed) {}

  // Ends at the first failed expectation.
  void Go(int crashes) {
    for (int i = 0; i < crashes && !testing::Test::HasFatalFailure(); ++i) {
      // The open itself may be hit, too.
      PlanFault(60);
      absl::StatusOr<OpenedStorage> opened = Open(fs_);
      if (opened.ok()) {
        ASSERT_TRUE(model_.Accept(opened->recovered));
        term_ = std::max(term_, opened->recovered.hard_state.term.value);
        while (Step(*opened->storage)) {
          ASSERT_FALSE(testing::Test::HasFatalFailure());
        }
      } else {
        ASSERT_FALSE(absl::IsDataLoss(opened.status())) << opened.status();
      }
      opened = absl::CancelledError();  // the process is gone
      Crash();
    }
    fs_.Heal();
    absl::StatusOr<OpenedStorage> opened = Open(fs_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE(model_.Accept(opened->recovered));
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  void PlanFault(uint64_t calls) {
    fs_.Heal();
    switch (Below(4)) {
      case 0:
        fs_.CutPowerAtCall(Below(calls));
        break;
      case 1:
        fs_.FailCall(Below(calls), absl::UnknownError("Input/output error"));
        break;
      case 2:
        fs_.SetCapacity(fs_.used_bytes() + Below(20'000));
        break;
      default:
        break;  // ends by itself, in Step()
    }
  }

  void Crash() {
    if (!fs_.powered() || Below(2) == 0) {
      fs_.PowerLoss();
    } else {
      fs_.KillProcess();
    }
  }

  // One call; false when this life is over.
  bool Step(Storage& storage) {
    if (Below(40) == 0) return false;
    switch (Below(12)) {
      case 0:
        return Vote(storage);
      case 1:
        return Save(storage);
      case 2:
        return Below(3) == 0 ? Install(storage) : true;
      case 3:
        return storage.TrimPrefix(LogIndex(Below(model_.now().next) + 1)).ok();
      case 4:
      case 5:
      case 6:
      case 7:
        return Sync(storage);
      default:
        return Append(storage);
    }
  }

  bool Vote(Storage& storage) {
    const HardState vote{Term(++term_), BranchId(Below(4))};
    model_.votes.push_back(vote);
    const bool ok = storage.WriteHardState(vote).ok();
    if (ok) model_.votes = {vote};
    return ok;
  }

  bool Sync(Storage& storage) {
    const bool ok = storage.Sync().ok();
    if (ok) model_.Synced();
    return ok;
  }

  bool Append(Storage& storage) {
    LogState after = model_.now();
    const uint64_t kept = std::max<uint64_t>(after.snapshot_index + 1, 1);
    const uint64_t first = Below(4) == 0 ? kept + Below(after.next - kept + 1) : after.next;
    std::vector<Entry> entries;
    for (uint64_t n = Below(4) + 1; n > 0; --n) {
      entries.push_back(MakeEntry(term_, std::string(Below(3) == 0 ? Below(1500) : Below(40),
                                                     static_cast<char>(Below(256)))));
    }
    after.Append(first, entries);
    model_.log.push_back(after);
    return storage.Append(LogIndex(first), entries).ok();
  }

  bool Save(Storage& storage) {
    const LogState before = model_.now();
    if (before.next <= before.snapshot_index + 1) return true;
    const uint64_t index =
        before.snapshot_index + 1 + Below(before.next - before.snapshot_index - 1);
    const std::string& entry = before.entries.at(index);
    const Snapshot snapshot =
        MakeSnapshot(index, std::stoull(entry.substr(0, entry.find('/'))),
                     std::string(Below(3000), static_cast<char>('a' + Below(26))));
    // Written beside the log, which goes on meanwhile.
    if (!storage.PrepareSnapshot(snapshot).ok()) return false;
    if (Below(2) == 0) {
      const Entry next = MakeEntry(term_, "meanwhile");
      LogState after = before;
      after.Append(before.next, {next});
      model_.log.push_back(after);
      if (!storage.Append(LogIndex(before.next), {next}).ok()) return false;
    }
    model_.log.push_back(model_.now());
    model_.now().SetSnapshot(snapshot);
    const bool ok = storage.SaveSnapshot(snapshot.index).ok();
    if (ok) model_.Synced();
    return ok;
  }

  bool Install(Storage& storage) {
    const uint64_t index = model_.now().snapshot_index + 1 + Below(20);
    const Snapshot snapshot = MakeSnapshot(index, Below(term_ + 1) + 1, "installed");
    std::vector<LogState> possible = model_.log;
    for (LogState state : model_.log) {
      state.SetSnapshot(snapshot);
      state.Join(snapshot.term.value);
      possible.push_back(state);
    }
    LogState after = model_.now();
    after.SetSnapshot(snapshot);
    after.Clear();
    possible.push_back(after);
    model_.log = possible;
    const bool ok = storage.InstallSnapshot(snapshot).ok();
    if (ok) model_.Synced();
    return ok;
  }

  std::mt19937_64 random_;
  sim::SimFileSystem fs_;
  Model model_;
  uint64_t term_ = 1;
};

TEST(StorageCrash, RandomCallsAndCrashesKeepWhatWasAcknowledged) {
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomLife(seed).Go(8);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

// A short life that goes through every kind of call. True if all of it succeeded.
bool WholeLife(Storage& storage, Model& model) {
  const auto append = [&](uint64_t first, uint64_t count, uint64_t term, size_t size) {
    std::vector<Entry> entries;
    for (uint64_t i = 0; i < count; ++i) entries.push_back(MakeEntry(term, std::string(size, 'e')));
    LogState after = model.now();
    after.Append(first, entries);
    model.log.push_back(after);
    return storage.Append(LogIndex(first), entries).ok();
  };
  const auto sync = [&] {
    const bool ok = storage.Sync().ok();
    if (ok) model.Synced();
    return ok;
  };
  const auto vote = [&](uint64_t term) {
    model.votes.push_back({Term(term), BranchId(1)});
    const bool ok = storage.WriteHardState(model.votes.back()).ok();
    if (ok) model.votes = {model.votes.back()};
    return ok;
  };
  if (!vote(1) || !append(1, 5, 1, 100) || !sync() || !append(6, 9, 1, 500) || !sync()) {
    return false;
  }
  if (!append(9, 2, 2, 900) || !append(11, 3, 2, 10) || !sync()) return false;
  const Snapshot saved = MakeSnapshot(10, 2, "saved");
  model.log.push_back(model.now());
  model.now().SetSnapshot(saved);
  if (!PrepareAndSave(storage, saved).ok()) return false;
  model.Synced();
  if (!storage.TrimPrefix(LogIndex(9)).ok() || !vote(2)) return false;
  const Snapshot installed = MakeSnapshot(40, 3, "installed");
  model.log.push_back(model.now());
  model.now().SetSnapshot(installed);
  model.now().Clear();
  if (!storage.InstallSnapshot(installed).ok()) return false;
  model.Synced();
  return append(41, 3, 3, 700) && sync();
}

// Hits the n-th call of a whole life, for every n, in several ways each.
template <class Fault>
void HitEveryCall(const Fault& fault) {
  bool finished = false;
  for (uint64_t call = 0; !finished; ++call) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      SCOPED_TRACE(testing::Message() << "call " << call << " seed " << seed);
      sim::SimFileSystem fs(seed);
      Model model;
      fault(fs, call);
      absl::StatusOr<OpenedStorage> opened = Open(fs);
      finished = opened.ok() && WholeLife(*opened->storage, model);
      opened = absl::CancelledError();
      if (seed % 2 == 0 || !fs.powered()) {
        fs.PowerLoss();
      } else {
        fs.KillProcess();
      }
      fs.Heal();
      for (int start = 0; start < 2; ++start) {
        absl::StatusOr<OpenedStorage> again = Open(fs);
        ASSERT_TRUE(again.ok()) << again.status();
        ASSERT_TRUE(model.Accept(again->recovered));
      }
      // Nothing that a start reported may hang on the page cache.
      fs.PowerLoss();
      absl::StatusOr<OpenedStorage> again = Open(fs);
      ASSERT_TRUE(again.ok()) << again.status();
      ASSERT_TRUE(model.Accept(again->recovered));
    }
    ASSERT_LT(call, 1000u);
  }
}

TEST(StorageCrash, ThePowerMayGoInTheMiddleOfEveryCall) {
  HitEveryCall([](sim::SimFileSystem& fs, uint64_t call) { fs.CutPowerAtCall(call); });
}

TEST(StorageCrash, EveryCallMayFailAndTheNextStartIsFine) {
  HitEveryCall([](sim::SimFileSystem& fs, uint64_t call) {
    fs.FailCall(call, absl::UnknownError("Input/output error"));
  });
}

TEST(StorageCrash, AFullDiskIsAnErrorAndRoomHeals) {
  HitEveryCall(
      [](sim::SimFileSystem& fs, uint64_t call) { fs.SetCapacity(call * sim::kSectorBytes); });
}

TEST(StorageCrash, ATornTailIsCutAtEverySector) {
  sim::SimFileSystem before(1);
  absl::StatusOr<OpenedStorage> opened = Open(before);
  ASSERT_TRUE(opened.ok());
  const std::vector<Entry> kept = {MakeEntry(1, "kept")};
  const std::vector<Entry> torn = {MakeEntry(2, std::string(2600, 't')), MakeEntry(2, "u")};
  ASSERT_TRUE(opened->storage->Append(LogIndex(1), kept).ok());
  ASSERT_TRUE(opened->storage->Sync().ok());
  const sim::SimFileSystem::Image synced = before.Cached();
  ASSERT_TRUE(opened->storage->Append(LogIndex(1), torn).ok());
  const sim::SimFileSystem::Image written = before.Cached();
  const std::string log = kFolder + "/log-00000000000000000001";
  // Six sectors: every subset of them reached the disk.
  for (unsigned subset = 0; subset < 64; ++subset) {
    SCOPED_TRACE(testing::Message() << "subset " << subset);
    sim::SimFileSystem::Image image = synced;
    image[log].resize(written.at(log).size());
    for (unsigned sector = 0; sector < 6; ++sector) {
      if ((subset >> sector & 1) == 0) continue;
      const size_t at = 1024 + sector * 512;
      image[log].replace(at, 512, written.at(log).substr(at, 512));
    }
    sim::SimFileSystem after(1, image);
    const absl::StatusOr<OpenedStorage> again = Open(after);
    ASSERT_TRUE(again.ok()) << again.status();
    const std::vector<Entry>& entries = again->recovered.entries;
    ASSERT_EQ(entries.size(), subset == 63 ? 2u : 1u);
    EXPECT_EQ(Text(entries[0]), Text(subset == 63 ? torn[0] : kept[0]));
    EXPECT_EQ(again->recovered.notes.empty(), subset == 0 || subset == 63);
  }
}

}  // namespace
}  // namespace bank::storage
