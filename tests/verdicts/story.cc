#include "tests/verdicts/story.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "nlohmann/json.hpp"

namespace bank::verdicts {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

ordered_json Common(const Event& e, const std::string& type) {
  ordered_json line = {{"type", type}, {"process", e.process}, {"id", e.id}};
  line["session"] = e.session;
  line["sequence"] = e.sequence;
  line["op"] = e.op;
  line["account"] = e.account;
  if (e.op == "transfer") line["to"] = e.to;
  line["amount"] = e.amount;
  return line;
}

template <typename Value>
std::optional<Value> Find(const json& line, const char* key) {
  const auto it = line.find(key);
  if (it == line.end()) return std::nullopt;
  return it->get<Value>();
}

// Numbers of the format fit int64; nlohmann would wrap them.
bool NumbersFit(const json& line) {
  return std::none_of(line.begin(), line.end(), [](const json& value) {
    return value.is_number_float() ||
           (value.is_number_unsigned() &&
            value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()});
  });
}

void ReadDigest(const json& line, Story* story) {
  DigestLine digest;
  digest.branch = line.at("branch");
  digest.position = line.at("log_index");
  digest.state = line.at("state");
  digest.accounts = Find<int64_t>(line, "accounts");
  digest.total = Find<int64_t>(line, "balance_total");
  story->digests.push_back(digest);
}

bool ReadHeader(const std::string& text, const json& line, Story* story) {
  story->accounts_max = Find<int64_t>(line, "accounts_max");
  if (!line.contains("initial")) return true;
  story->initial.emplace();
  for (const auto& [name, balance] : line["initial"].items()) {
    story->initial->emplace_back(name, balance.get<int64_t>());
  }
  // What stands twice is seen by those only who look at the keys one by one.
  size_t keys = 0;
  const json::parser_callback_t count = [&](int depth, json::parse_event_t event, json&) {
    keys += depth == 2 && event == json::parse_event_t::key ? 1 : 0;
    return true;
  };
  const json parsed = json::parse(text, count);
  return parsed.is_object() && keys == story->initial->size();
}

}  // namespace

std::string TextOf(const Story& story) {
  ordered_json header = {{"type", "header"}, {"version", 1}};
  if (story.initial) {
    header["initial"] = ordered_json::object();
    for (const auto& [name, balance] : *story.initial) header["initial"][name] = balance;
  }
  if (story.accounts_max) header["accounts_max"] = *story.accounts_max;
  std::string text = header.dump() + "\n";
  std::vector<std::tuple<int64_t, bool, std::string>> lines;
  for (const Event& e : story.events) {
    ordered_json line = Common(e, "invoke");
    if (!e.consistency.empty()) line["consistency"] = e.consistency;
    if (e.minimum) line["minimum"] = *e.minimum;
    line["branch"] = 1;
    line["ns"] = e.invoked;
    lines.emplace_back(e.invoked, false, line.dump());
    if (e.type.empty()) continue;
    line = Common(e, e.type);
    if (e.type == "ok") {
      line["result"] = e.result;
      if (e.balance) line["balance"] = *e.balance;
      if (e.index) line["index"] = *e.index;
      if (e.replayed) line["replayed"] = true;
    } else {
      line["reason"] = "lost";
    }
    line["ns"] = e.over;
    lines.emplace_back(e.over, true, line.dump());
  }
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  for (const auto& [ns, is_completion, line] : lines) text += line + "\n";
  for (const DigestLine& digest : story.digests) {
    ordered_json line = {{"type", "digest"},
                         {"branch", digest.branch},
                         {"log_index", digest.position},
                         {"state", digest.state},
                         {"history", "cc"}};
    if (digest.accounts) line["accounts"] = *digest.accounts;
    if (digest.total) line["balance_total"] = *digest.total;
    text += line.dump() + "\n";
  }
  return text;
}

std::optional<Story> ReadStory(const std::string& text) {
  Story story;
  std::map<std::pair<uint64_t, uint64_t>, size_t> events;
  bool has_header = false;
  std::istringstream lines(text);
  for (std::string row; std::getline(lines, row);) {
    const json line = json::parse(row, nullptr, false);
    if (!line.is_object() || !NumbersFit(line)) return std::nullopt;
    const std::string type = line.value("type", "");
    if (type == "header") {
      if (std::exchange(has_header, true)) return std::nullopt;
      if (!ReadHeader(row, line, &story)) return std::nullopt;
      continue;
    }
    if (type == "digest") {
      ReadDigest(line, &story);
      continue;
    }
    if (!has_header) return std::nullopt;
    const std::pair<uint64_t, uint64_t> name = {line.at("process"), line.at("id")};
    if (type == "invoke") {
      Event e;
      std::tie(e.process, e.id) = name;
      e.session = line.value("session", uint64_t{0});
      e.sequence = line.value("sequence", uint64_t{0});
      e.op = line.at("op");
      e.account = line.value("account", "shared");
      e.to = line.value("to", "");
      e.amount = line.value("amount", int64_t{0});
      e.consistency = line.value("consistency", "");
      e.minimum = Find<uint64_t>(line, "minimum");
      e.invoked = line.at("ns");
      e.type = "";
      events[name] = story.events.size();
      story.events.push_back(e);
      continue;
    }
    const auto found = events.find(name);
    if (found == events.end()) return std::nullopt;
    Event& e = story.events[found->second];
    e.type = type;
    e.result = line.value("result", "");
    e.balance = Find<int64_t>(line, "balance");
    e.index = Find<uint64_t>(line, "index");
    e.replayed = line.value("replayed", false);
    e.over = line.at("ns");
  }
  return story;
}

}  // namespace bank::verdicts
