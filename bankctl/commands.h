// bankctl's commands. Each prints its answer to stdout, errors to stderr, and returns the exit
// code.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bankctl/bank.h"
#include "bankctl/json.h"

namespace bank::bankctl {

enum class Form { kTable, kJson, kCsv };

struct Context {
  std::vector<net::BranchAddress> targets;
  net::TlsFiles tls;
  Form form = Form::kTable;
  std::chrono::milliseconds timeout{5000};

  bool json() const { return form == Form::kJson; }
  Deadline DeadlineFromNow() const { return std::chrono::system_clock::now() + timeout; }
};

// Status of every member: of the given branches, or, if one is given, of all it names.
// 3 if one did not answer.
int ShowStatus(const Context& context);

// Who belongs to the bank, as the first given branch that answers knows it.
int ShowMembers(const Context& context);

// The health of each given branch's services; 3 unless all serve.
int ShowHealth(const Context& context);

// Returns when all given branches serve customers; 3 if the time ran out.
int WaitReady(const Context& context);

// Each given branch takes a snapshot of its ledger and compacts its log.
int TakeSnapshots(const Context& context);

// Hands leadership to `branch` (0: whoever is most up to date).
int TransferLeadership(const Context& context, uint32_t branch);

// Waits until all given branches have applied what was committed before the call and writes one
// JSON line of each to `output` ("-": stdout). 6 if two branches differ at equal applied_index.
int CompareDigests(const Context& context, const std::string& output);

struct MetricsOptions {
  v1::StreamMetricsRequest request;  // whose and which
  std::chrono::seconds since{0};     // 0: only the newest
  bool follow = false;
};

// The samples asked for; with `follow` until nobody answers. Goes on at another branch, after what
// was read, when one is killed. Frames that are missing are said on stderr, or as JSON.
int ShowMetrics(const Context& context, const MetricsOptions& options);

struct EventsOptions {
  uint32_t past = 100;
  bool follow = false;
};
int ShowEvents(const Context& context, const EventsOptions& options);

// A live view, until Ctrl-C; as JSON one line a second.
int Watch(const Context& context);

// Says why the branches cannot even be dialled, and gives the exit code.
int Fail(const absl::Status& status);

// The given branches; if there is only one, all members that it names.
absl::StatusOr<std::vector<Branch>> WholeBank(const Context& context);

std::string IsoTime(int64_t unix_ns);    // UTC, milliseconds
std::string LocalTime(int64_t unix_ns);  // HH:MM:SS
std::string NumberOf(double value);      // for people

}  // namespace bank::bankctl
