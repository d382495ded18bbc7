// Uplink: what ties this branch's feed to the bank's.
//
// While another branch leads, two streams to it are open: PushMetrics takes this branch's own
// frames, events and signs of life there, StreamMetrics{frames} brings everything else here. When
// the master changes both move at once, and both go on where the other side is: the new master says
// what it has of this branch, and this branch says what it has of all.
// While this branch leads it needs neither; then it writes down who joined and who was lost. That
// a branch is lost is written down by every voter that sees it, once; the loss of the master also
// before there is another one.
//
// A branch that starts first learns the past, its own of earlier runs included, and only then adds
// frames of this run, because a feed takes frames of one agent in order only.
//
// Threads: Offer() any; all else happens on the worker. Nothing blocks but Shutdown(), after which
// the worker is stopped before this is destroyed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "branch/replication/replicator.h"
#include "branch/telemetry/feed.h"
#include "branch/telemetry/journal.h"
#include "branch/telemetry/stream/masters.h"
#include "branch/telemetry/stream/push_stream.h"
#include "net/living.h"
#include "net/worker.h"

namespace bank::telemetry {

// The metadata of a branch's own streams: the bank's number, in hex. Only who sends it may speak in
// a branch's name.
inline constexpr char kBankKey[] = "bank-number";
std::string BankValue(uint64_t bank);  // what stands under it

// What a branch that does not lead says to whom it sends away.
inline constexpr char kNoMaster[] = "there is no master now: connect again";

struct UplinkOptions {
  uint64_t bank = 0;
  int64_t sign_of_life_ns = 500'000'000;
  int64_t redial_ns = 100'000'000;
  // How long a branch waits for the past before it adds frames of its own.
  int64_t patience_ns = 3'000'000'000;
};

class Uplink {
 public:
  // All must outlive it. `status` is this branch's, for its signs of life.
  Uplink(UplinkOptions options, Feed& feed, Journal& journal, Masters& masters, net::Worker& worker,
         std::function<replication::ReplicatorStatus()> status);
  // Begins; the masters may tell changes from now on.
  void Start();

  // A frame of this branch, into its feed.
  void Offer(FramePtr frame);

  // Ends both streams and waits for their last reaction. Idempotent; not from the worker.
  void Shutdown();

 private:
  class Follow;

  void OnMaster(const Master& master);
  void Connect();
  void Leave();
  // One of the streams ended by itself.
  void Broke(const char* what, const grpc::Status& status);
  void Redial(int64_t after_ns);
  void Take(Follow& follow, const v1::MetricUpdate& update);
  void Tick();
  void NoteLost(const std::string& name, const AgentView& view);
  void NoteLostMaster();
  void NoteChanges();
  bool WasTold(const std::string& name, bool dead) const;
  void EndWaiting();

  const UplinkOptions options_;
  Feed& feed_;
  Journal& journal_;
  Masters& masters_;
  net::Worker& worker_;
  const std::function<replication::ReplicatorStatus()> status_;
  net::Living living_;

  // Of the worker.
  Master master_;
  PushStream* push_ = nullptr;  // each owns itself until its OnDone
  Follow* follow_ = nullptr;
  bool stopping_ = false;
  uint64_t dials_ = 0;     // tells a late redial from a current one
  bool informed_ = false;  // follows a master and has caught up, or leads
  bool waiting_ = true;    // for the past
  int64_t give_up_ns_ = 0;
  std::vector<FramePtr> held_;
  struct Seen {
    uint64_t incarnation = 0;
    bool dead = true;
    bool untold = true;      // nobody may have told of it yet: a master has to look
    uint64_t told_lost = 0;  // the incarnation of which this branch has told that it is lost
  };
  std::map<std::string, Seen> seen_;
  std::string last_fault_;
  std::string broken_master_;  // its streams broke: is it lost? Empty: none
};

}  // namespace bank::telemetry
