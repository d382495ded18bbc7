// Nemesis: injects the faults of a run, and ends them.
//
// Each seed has its own taste: how often something breaks, and which kinds of faults there are at
// all. What a bank cannot survive is not done: a folder is damaged only while a majority of the
// voters has, and keeps, a whole one.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/branch_process.h"
#include "tests/sim/operator.h"
#include "tests/sim/world.h"

namespace bank::sim {

class Nemesis {
 public:
  Nemesis(World& world, const Operator& members);

  void Begin();
  // Ends all faults: the network is whole, disks are fast and have room, every branch runs but for
  // those that are missing, until the next call.
  void Heal(const std::vector<BranchProcess*>& missing = {});

  // What branches tell: this one campaigns, in a term of its own; this one is promoted in the
  // leader's log; this one is about to acknowledge the first entries after a snapshot it installed.
  void OnCandidacy(BranchProcess& candidate);
  void OnPromotion(BranchId promoted);
  void OnFirstAfterInstall(BranchProcess& branch);

 private:
  enum class Fault {
    kCrash,
    kRestartStorm,
    kBlackout,
    kCrashInsideDiskCall,
    kPause,
    kCutOneWay,
    kIsolate,
    kMute,
    kPartition,
    kRing,
    kFlap,
    kBreakConnection,
    kStorm,
    kSlowDisk,
    kFullDisk,
    kDiskError,
    kFlipByte,
    kWipe,
    kClockJump,
    kClockSkew,
    kOldLeader,
    kCutCandidates,
    kCutPromoted,
    kMuteInstalled,
    kTransfer,
    kSnapshot,
    kCount,
  };

  void Next();
  void Strike(Fault fault);
  void StrikeNetwork(Fault fault);
  void StrikeDisk(Fault fault);

  void Crash(BranchProcess& branch, SimTime down);
  void RestartLater(BranchProcess& branch, SimTime down);
  void CutBetween(const std::vector<bool>& left);
  void MendLater();
  void Isolate(NodeId node);
  void Mute(NodeId node);  // it hears, and is not heard
  void KeepOldLeader();
  void Hasten();  // the clocks that KeepOldLeader slowed
  void Flap(NodeId a, NodeId b, int times);
  void StormOfRestarts(BranchProcess& branch, int times);
  void Damage(BranchProcess& branch, bool wipe);
  // Later, unless the faults have ended by then.
  void Later(SimTime delay, Scheduler::Task task);

  // Whom a fault strikes: by the seed's taste the leader more often than chance has it.
  BranchProcess& AnyBranch();
  BranchProcess* Leader();  // one of them, if there are several; null if there is none
  SimTime Brief() { return random_.Between(20, 400) * kMillisecond; }
  SimTime Long() { return random_.Between(200, 2500) * kMillisecond; }

  World& world_;
  const Operator& members_;
  Random random_;
  std::vector<Fault> kinds_;
  std::vector<BranchProcess*> slowed_;
  uint64_t hunt_permille_;  // of the faults look for the leader
  SimTime pause_mean_;
  Network::Weather fair_;
  bool cuts_candidates_ = false;
  bool cuts_promoted_ = false;
  bool mutes_installed_ = false;
  bool ended_ = false;
};

}  // namespace bank::sim
