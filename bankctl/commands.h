// bankctl's commands. Each prints its answer to stdout, errors to stderr, and returns the exit
// code.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bankctl/bank.h"

namespace bank::bankctl {

struct Context {
  std::vector<Target> targets;
  net::TlsFiles tls;
  bool json = false;
  std::chrono::milliseconds timeout{5000};

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

// Waits until all given branches have applied the newest write and writes one JSON line of each to
// `output` ("-": stdout). 6 if two branches at one log_index differ.
int CompareDigests(const Context& context, const std::string& output);

}  // namespace bank::bankctl
