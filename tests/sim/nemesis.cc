#include "tests/sim/nemesis.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace bank::sim {

Nemesis::Nemesis(World& world, const Operator& members)
    : world_(world), members_(members), random_(world.random.Fork()) {
  for (int kind = 0; kind < static_cast<int>(Fault::kCount); ++kind) {
    if (random_.Permille(450)) kinds_.push_back(static_cast<Fault>(kind));
  }
  if (kinds_.empty()) kinds_.push_back(Fault::kCrash);
  hunt_permille_ = random_.OneIn(2) ? random_.Below(900) : 0;
  pause_mean_ = random_.Between(40, 600) * kMillisecond;
  fair_.delay_min = random_.Between(50, 1000);
  fair_.delay_max = fair_.delay_min + random_.Between(100, 8000);
  fair_.loss_permille = random_.OneIn(3) ? random_.Below(40) : 0;
  world_.network.SetWeather(fair_);
}

void Nemesis::Begin() { Next(); }

void Nemesis::Next() {
  Later(random_.Between(pause_mean_ / 4, pause_mean_ * 2), [this] {
    Strike(random_.Pick(kinds_));
    Next();
  });
}

// Old leaders that do not know it yet come from faults that hit a leader.
BranchProcess& Nemesis::AnyBranch() {
  BranchProcess* const any = random_.Pick(world_.branches);
  BranchProcess* const leader = random_.Permille(hunt_permille_) ? Leader() : nullptr;
  return leader != nullptr ? *leader : *any;
}

BranchProcess* Nemesis::Leader() {
  for (BranchProcess* each : world_.branches) {
    if (each->up() && each->status().role == replication::Role::kLeader) return each;
  }
  return nullptr;
}

void Nemesis::Later(SimTime delay, Scheduler::Task task) {
  world_.scheduler.After(delay, [this, task = std::move(task)]() mutable {
    if (!ended_) task();
  });
}

void Nemesis::Strike(Fault fault) {
  Statistics& count = world_.statistics;
  BranchProcess& branch = AnyBranch();
  switch (fault) {
    case Fault::kCrash:
      return Crash(branch, random_.OneIn(3) ? Long() : Brief());
    case Fault::kRestartStorm:
      ++count.restart_storms;
      return StormOfRestarts(branch, static_cast<int>(random_.Between(3, 8)));
    case Fault::kBlackout:
      if (!random_.OneIn(3)) return;
      ++count.blackouts;
      for (BranchProcess* each : world_.branches) Crash(*each, Brief());
      return;
    case Fault::kPause: {
      branch.Pause();
      BranchProcess* const paused = &branch;
      Later(random_.OneIn(3) ? Long() : Brief(), [paused] { paused->Resume(); });
      return;
    }
    case Fault::kClockJump:
      ++count.clock_jumps;
      world_.trace.Note("clock jump", branch.id().value);
      branch.clock().JumpAhead(world_.scheduler.now(), Long());
      return branch.OnClockChanged();
    case Fault::kClockSkew:
      ++count.clock_skews;
      world_.trace.Note("clock skew", branch.id().value);
      branch.clock().SetRate(world_.scheduler.now(), random_.Between(700'000, 1'400'000));
      return branch.OnClockChanged();
    case Fault::kOldLeader:
      return KeepOldLeader();
    case Fault::kCutCandidates:
      cuts_candidates_ = true;
      return Later(Long(), [this] { cuts_candidates_ = false; });
    case Fault::kCutPromoted:
      cuts_promoted_ = true;
      return Later(2 * Long(), [this] { cuts_promoted_ = false; });
    case Fault::kMuteInstalled:
      mutes_installed_ = true;
      return Later(2 * Long(), [this] { mutes_installed_ = false; });
    case Fault::kTransfer:
      for (BranchProcess* each : world_.branches) {
        if (each->up() && each->status().role == replication::Role::kLeader) {
          each->TransferLeadership(BranchId(0), [this](const absl::Status& status) {
            if (status.ok()) ++world_.statistics.transfers;
          });
        }
      }
      return;
    case Fault::kSnapshot:
      return branch.TakeSnapshot();
    case Fault::kCrashInsideDiskCall:
    case Fault::kSlowDisk:
    case Fault::kFullDisk:
    case Fault::kDiskError:
    case Fault::kFlipByte:
    case Fault::kWipe:
      return StrikeDisk(fault);
    default:
      return StrikeNetwork(fault);
  }
}

void Nemesis::StrikeNetwork(Fault fault) {
  Statistics& count = world_.statistics;
  const uint64_t n = world_.branches.size();
  if (n == 1 && fault != Fault::kStorm) return;
  const NodeId a = AnyBranch().node();
  const NodeId b = 1 + (a + random_.Below(n - (n > 1 ? 1 : 0))) % n;
  switch (fault) {
    case Fault::kCutOneWay:
      ++count.link_cuts;
      world_.network.Cut(a, b);
      if (random_.OneIn(2)) {
        world_.network.Cut(b, a);
      } else {
        ++count.link_cuts_one_way;
      }
      return MendLater();
    case Fault::kIsolate:
      ++count.isolations;
      Isolate(a);
      return MendLater();
    case Fault::kMute:
      ++count.mutes;
      Mute(a);
      return MendLater();
    case Fault::kPartition: {
      ++count.partitions;
      std::vector<bool> left(n + 1, false);
      for (NodeId i = 1; i <= n; ++i) left[i] = random_.OneIn(2);
      CutBetween(left);
      return MendLater();
    }
    case Fault::kRing:
      // Each sees only its two neighbours.
      ++count.ring_cuts;
      for (NodeId i = 1; i <= n; ++i) {
        for (NodeId j = i + 1; j <= n; ++j) {
          if (j - i == 1 || j - i == n - 1) continue;
          world_.network.Cut(i, j);
          world_.network.Cut(j, i);
        }
      }
      return MendLater();
    case Fault::kFlap:
      ++count.link_flaps;
      return Flap(a, b, static_cast<int>(random_.Between(2, 10)));
    case Fault::kBreakConnection:
      return world_.network.Break(a, b);
    default: {
      ++count.network_storms;
      Network::Weather storm = fair_;
      storm.loss_permille = random_.Below(150);
      storm.delay_max += random_.Between(0, 200) * kMillisecond;
      storm.spike_permille = random_.Below(50);
      storm.delay_spike = Long();
      world_.network.SetWeather(storm);
      Later(Long(), [this] { world_.network.SetWeather(fair_); });
    }
  }
}

void Nemesis::StrikeDisk(Fault fault) {
  Statistics& count = world_.statistics;
  BranchProcess* const branch = &AnyBranch();
  switch (fault) {
    case Fault::kCrashInsideDiskCall:
      branch->files().CutPowerAtCall(random_.Below(30));
      return RestartLater(*branch, Brief());
    case Fault::kSlowDisk:
      ++count.slow_disks;
      branch->disk_pace().max = random_.Between(10, 150) * kMillisecond;
      return Later(Long(), [branch] { branch->disk_pace() = {}; });
    case Fault::kFullDisk:
      ++count.disks_full;
      world_.trace.Note("disk full", branch->id().value);
      branch->files().SetCapacity(branch->files().used_bytes() + random_.Below(4096));
      RestartLater(*branch, Brief());  // and stops again, if there is no room to start
      return Later(Long(), [this, branch] {
        if (!branch->up()) branch->files().Heal();
        branch->files().SetCapacity(UINT64_MAX);
        RestartLater(*branch, Brief());
      });
    case Fault::kDiskError:
      ++count.disk_errors;
      world_.trace.Note("disk error armed", branch->id().value);
      branch->files().FailCall(random_.Below(40), absl::InternalError("input/output error"));
      return RestartLater(*branch, Brief());
    default:
      return Damage(*branch, fault == Fault::kWipe);
  }
}

void Nemesis::Crash(BranchProcess& branch, SimTime down) {
  branch.Stop(random_.OneIn(3) ? BranchProcess::Cause::kKilled : BranchProcess::Cause::kPowerLoss);
  RestartLater(branch, down);
}

void Nemesis::RestartLater(BranchProcess& branch, SimTime down) {
  Later(down, [this, &branch] {
    if (branch.up()) return;
    branch.Start(branch.state() == BranchProcess::State::kDamaged ? storage::OnDamage::kRebuild
                                                                  : storage::OnDamage::kRefuse);
    // A start can fail again for as long as its disk is bad.
    if (!branch.up()) RestartLater(branch, Brief());
  });
}

void Nemesis::StormOfRestarts(BranchProcess& branch, int times) {
  if (times == 0) return RestartLater(branch, Brief());
  branch.Stop(random_.OneIn(2) ? BranchProcess::Cause::kKilled : BranchProcess::Cause::kPowerLoss);
  if (branch.state() == BranchProcess::State::kDown) {
    if (random_.OneIn(2)) branch.files().CutPowerAtCall(random_.Below(25));
    branch.Start();
  }
  Later(random_.Between(1, 60) * kMillisecond,
        [this, &branch, times] { StormOfRestarts(branch, times - 1); });
}

void Nemesis::CutBetween(const std::vector<bool>& left) {
  const uint64_t n = world_.branches.size();
  for (NodeId i = 1; i <= n; ++i) {
    for (NodeId j = 1; j <= n; ++j) {
      if (left[i] != left[j]) world_.network.Cut(i, j);
    }
  }
}

// A leader that customers reach and no branch does, on a clock so slow that it goes on for long
// after the others have another one. Whatever it answers alone is wrong.
void Nemesis::KeepOldLeader() {
  BranchProcess* const leader = Leader();
  if (leader == nullptr || world_.branches.size() == 1) return;
  ++world_.statistics.old_leaders;
  world_.trace.Note("old leader", leader->id().value);
  leader->clock().SetRate(world_.scheduler.now(), random_.Between(100'000, 600'000));
  leader->OnClockChanged();
  slowed_.push_back(leader);
  // What it had not written when the others replaced it must not count afterwards.
  if (random_.OneIn(3)) leader->disk_pace().max = random_.Between(200, 2000) * kMillisecond;
  Isolate(leader->node());
  Later(Long(), [this] {
    world_.network.MendAll();
    Hasten();
  });
}

// Terms go up, and nobody is elected in them.
void Nemesis::OnCandidacy(BranchProcess& candidate) {
  if (ended_ || !cuts_candidates_) return;
  ++world_.statistics.candidates_cut_off;
  Isolate(candidate.node());
  MendLater();
  if (random_.OneIn(2)) Later(Brief(), [this, &candidate] { Crash(candidate, Brief()); });
}

// It has a vote, and is the only one that does not know.
void Nemesis::OnPromotion(BranchId promoted) {
  if (ended_ || !cuts_promoted_) return;
  ++world_.statistics.promoted_cut_off;
  Isolate(promoted.value);
  MendLater();
}

// What it goes on to take, apply and compact, nobody knows.
void Nemesis::OnFirstAfterInstall(BranchProcess& branch) {
  if (ended_ || !mutes_installed_) return;
  ++world_.statistics.installed_muted;
  Mute(branch.node());
  Later(Brief(), [&branch] { branch.TakeSnapshot(); });
  MendLater();
}

void Nemesis::Mute(NodeId node) {
  for (NodeId i = 1; i <= world_.branches.size(); ++i) world_.network.Cut(node, i);
}

void Nemesis::Isolate(NodeId node) {
  std::vector<bool> left(world_.branches.size() + 1, false);
  left[node] = true;
  CutBetween(left);
}

void Nemesis::Hasten() {
  for (BranchProcess* branch : std::exchange(slowed_, {})) {
    branch->clock().SetRate(world_.scheduler.now(), random_.Between(950'000, 1'050'000));
    branch->OnClockChanged();
    branch->disk_pace() = {};
  }
}

void Nemesis::MendLater() {
  Later(Long(), [this] { world_.network.MendAll(); });
}

void Nemesis::Flap(NodeId a, NodeId b, int times) {
  if (world_.network.IsCut(a, b)) {
    world_.network.Mend(a, b);
    world_.network.Mend(b, a);
  } else {
    world_.network.Cut(a, b);
    world_.network.Cut(b, a);
  }
  if (times == 0) return MendLater();
  Later(random_.Between(5, 120) * kMillisecond, [this, a, b, times] { Flap(a, b, times - 1); });
}

void Nemesis::Damage(BranchProcess& branch, bool wipe) {
  // A branch that is being brought back, or has to be, does not vote; the rest must be able to.
  if (branch.recovering() || !members_.CanSpare(branch)) return;
  branch.Stop(BranchProcess::Cause::kPowerLoss);
  if (branch.state() != BranchProcess::State::kDown) return;
  const std::vector<std::string> paths = branch.files().Files();
  if (paths.empty()) return RestartLater(branch, Brief());
  if (wipe) {
    ++world_.statistics.folders_wiped;
    world_.trace.Note("wipe", branch.id().value);
    branch.WipeFolder();
    branch.Start(storage::OnDamage::kRebuild);
    return RestartLater(branch, Brief());
  }
  const std::string& path = random_.Pick(paths);
  const std::string content = branch.files().Content(path);
  if (!content.empty()) {
    // Most bytes of a preallocated file are zero and mean nothing: prefer one that is not.
    uint64_t offset = random_.Below(content.size());
    for (int tries = 0; content[offset] == 0 && tries < 200; ++tries) {
      offset = random_.Below(content.size());
    }
    ++world_.statistics.bytes_flipped;
    world_.trace.Note("flip byte", branch.id().value, offset, content.size());
    if (world_.trace.printing()) printf("    %s\n", path.c_str());
    branch.files().FlipByte(path, offset, static_cast<uint8_t>(random_.Between(1, 255)));
    branch.MarkDamaged();
  }
  RestartLater(branch, Brief());
}

void Nemesis::Heal(const std::vector<BranchProcess*>& missing) {
  ended_ = true;
  world_.trace.Note("heal");
  Hasten();
  world_.network.MendAll();
  Network::Weather calm = fair_;
  calm.loss_permille = 0;
  world_.network.SetWeather(calm);
  for (BranchProcess* branch : world_.branches) {
    branch->disk_pace() = {};
    branch->files().Heal();
    branch->Resume();
    if (Contains(missing, branch)) {
      branch->Stop(BranchProcess::Cause::kKilled);
      continue;
    }
    if (branch->up()) continue;
    // A failure on the way down may need one step to end, a damaged folder a second start.
    world_.scheduler.After(kMillisecond, [branch] {
      if (branch->up()) return;
      if (!branch->files().powered()) branch->files().PowerLoss();
      branch->Start();
      if (branch->state() == BranchProcess::State::kDamaged) {
        branch->Start(storage::OnDamage::kRebuild);
      }
    });
  }
}

}  // namespace bank::sim
