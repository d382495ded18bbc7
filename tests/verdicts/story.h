// Story: a small history as the verdict tests see it, and its text (docs/HISTORY.md). Shares no
// code with the checker, its reader included. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bank::verdicts {

// An invocation and its completion. Words are those of the format.
struct Event {
  uint64_t process = 1;
  uint64_t id = 1;
  uint64_t session = 0;
  uint64_t sequence = 0;
  std::string op = "query";
  std::string account = "a";
  std::string to;  // transfer
  int64_t amount = 0;
  std::string consistency;  // empty: linearizable
  std::optional<uint64_t> minimum;
  std::string type = "ok";  // ok, fail, info; empty: no completion
  std::string result;       // ok
  std::optional<int64_t> balance;
  std::optional<uint64_t> index;
  bool replayed = false;
  int64_t invoked = 0;
  int64_t over = 0;  // of the completion

  bool is_write() const { return op != "query"; }
  bool has_key() const { return session != 0 && sequence != 0; }
};

struct DigestLine {
  uint64_t branch = 1;
  uint64_t position = 0;
  std::string state = "aa";
  std::optional<int64_t> accounts;
  std::optional<int64_t> total;
};

struct Story {
  using Balances = std::vector<std::pair<std::string, int64_t>>;
  std::optional<Balances> initial;
  std::optional<int64_t> accounts_max;
  std::vector<Event> events;
  std::vector<DigestLine> digests;
};

// Lines in the order of their stamps.
std::string TextOf(const Story& story);
// None if the text is no history, or holds a number that the format does not allow.
std::optional<Story> ReadStory(const std::string& text);

}  // namespace bank::verdicts
