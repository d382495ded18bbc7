// Goal: histories of other systems, in Jepsen's EDN, get the right verdict.
#include "checker/jepsen/jepsen.h"

#include "checker/timeline.h"
#include "tests/support/history_text.h"

namespace bank::checker {
namespace {

Verdict JudgeEdn(const std::string& text) {
  const auto judgement = JudgeJepsen({WriteTemporary("history.edn", text)}, {.budget_ms = 5000});
  EXPECT_TRUE(judgement.ok()) << judgement.status();
  return judgement.ok() ? judgement->verdict : Verdict::kUndecided;
}

std::string Refusal(const std::string& text) {
  const auto judgement = JudgeJepsen({WriteTemporary("bad.edn", text)}, {});
  return judgement.ok() ? "taken" : std::string(judgement.status().message());
}

std::string Register(const std::string& last_read) {
  return R"({:type :invoke, :f :write, :value 1, :process 0, :time 1}
{:type :invoke, :f :read, :value nil, :process 1, :time 2}
{:type :ok, :f :write, :value 1, :process 0, :time 3}
{:type :ok, :f :read, :value nil, :process 1, :time 4} ; it overlaps the write
{:type :info, :f :start, :value nil, :process :nemesis, :time 4}
{:type :invoke, :f :cas, :value [1 2], :process 0, :time 5}
{:type :info, :f :cas, :value [1 2], :process 0, :time 6, :error :timeout}
{:type :invoke, :f :read, :value nil, :process 2, :time 7}
{:type :ok, :f :read, :value )" +
         last_read + ", :process 2, :time 8}\n";
}

TEST(Jepsen, RegisterWithUnknownCas) {
  EXPECT_EQ(JudgeEdn(Register("2")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Register("1")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Register("3")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(Register("nil")), Verdict::kInconsistent);
}

std::string Bank(const std::string& last_read) {
  return R"([{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value {0 10, 1 10}, :process 1}
{:type :invoke, :f :transfer, :value {:from 0, :to 1, :amount 5}, :process 0}
{:type :ok, :f :transfer, :value {:from 0, :to 1, :amount 5}, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value )" +
         last_read + ", :process 1}]";
}

TEST(Jepsen, BankReadsMustAddUpAndFollowTheTransfers) {
  EXPECT_EQ(JudgeEdn(Bank("{0 5, 1 15}")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Bank("{0 10, 1 10}")), Verdict::kInconsistent);  // stale
  EXPECT_EQ(JudgeEdn(Bank("{0 5, 1 10}")), Verdict::kInconsistent);   // money is gone
}

// Four transfers of 2^62 are 2^64: the accounts are not as before.
TEST(Jepsen, SumsDoNotWrapAround) {
  std::string text =
      "{:type :invoke, :f :read, :process 1}\n"
      "{:type :ok, :f :read, :value {0 5, 1 5}, :process 1}\n";
  for (int i = 0; i < 4; ++i) {
    for (const char* type : {"invoke", "ok"}) {
      text += fmt::format(
          "{{:type :{}, :f :transfer, :value {{:from 0, :to 1, :amount {}}}, :process 0}}\n", type,
          int64_t{1} << 62);
    }
  }
  text +=
      "{:type :invoke, :f :read, :process 1}\n"
      "{:type :ok, :f :read, :value {0 5, 1 5}, :process 1}\n";
  EXPECT_EQ(JudgeEdn(text), Verdict::kInconsistent);

  const std::string max = std::to_string(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(JudgeEdn("{:type :invoke, :f :read, :process 1}\n"
                     "{:type :ok, :f :read, :value {0 " +
                     max + ", 1 " + max + "}, :process 1}\n"),
            Verdict::kConsistent);
}

TEST(Jepsen, RefusalsAreOneLine) {
  const auto judgement = JudgeJepsen(
      {WriteTemporary("bad.edn", "{:type :invoke, :process 1, :f \"a\nb\xff\", :value 1}")}, {});
  ASSERT_FALSE(judgement.ok());
  EXPECT_NE(judgement.status().message().find(":f a\\x0ab\\xff is neither"), std::string::npos)
      << judgement.status();
}

// An event without commas, as other writers print it.
std::string Event(const char* type, int process, const char* f, const std::string& value) {
  return fmt::format("#jepsen.history.Op{{:type :{} :process {} :f :{} :value {}}}\n", type,
                     process, f, value);
}
std::string Done(int process, const char* f, const std::string& asked, const std::string& told) {
  return Event("invoke", process, f, asked) + Event("ok", process, f, told);
}

TEST(Jepsen, IndependentKeysAreJudgedAlone) {
  const std::string writes = Done(0, "write", "[:x 1]", "[:x 1]") +
                             Done(0, "write", "[:y 2]", "[:y 2]") +
                             Done(1, "cas", "[:x [1 3]]", "[:x [1 3]]");
  const std::string one_key = writes + Done(1, "read", "[:y nil]", "[:y 2]");
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:x nil]", "[:x 3]")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:x nil]", "[:x 2]")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:x nil]", "[:x nil]")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:z nil]", "[:z nil]")), Verdict::kConsistent);
}

TEST(Jepsen, BankReadsThatAreWrongAlone) {
  const std::string good = Done(0, "read", "nil", "{0 10 1 10}");
  EXPECT_EQ(JudgeEdn(good), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(good + Done(0, "read", "nil", "{0 20}")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(Done(0, "read", "nil", "{0 20 1 0}") + Done(0, "read", "nil", "{0 20}")),
            Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(Done(0, "read", "nil", "{0 20 1 nil}")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(Done(0, "read", "nil", "{0 20 0 20}")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(good + Done(0, "read", "nil", "{0 20 1 nil}")), Verdict::kInconsistent);
  EXPECT_EQ(
      JudgeEdn(good +
               Done(0, "transfer", "{:from 0 :to 1 :amount 15}", "{:from 0 :to 1 :amount 15}") +
               Done(0, "read", "nil", "{0 -5 1 25}")),
      Verdict::kInconsistent);
}

TEST(Jepsen, BankReadsMayBeVectors) {
  const std::string transfer = "{:from 0 :to 1 :amount 4}";
  for (const auto& [before, after, stale] : {std::tuple{"[10 10]", "[6 14]", "[10 10]"},
                                             std::tuple{"[10 10 10]", "(6 14 10)", "[6 10 14]"}}) {
    const std::string text =
        Done(0, "read", "nil", before) + Done(0, "transfer", transfer, transfer);
    EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", after)), Verdict::kConsistent) << after;
    EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", stale)), Verdict::kInconsistent) << stale;
    EXPECT_EQ(Refusal(Done(0, "read", "nil", before)), "taken") << before;
  }
}

TEST(Jepsen, PairsThatNobodyAskedForByKeyAreABankOfTwoAccounts) {
  const auto reads = [](const std::string& second) {
    return "{:process 0 :type :invoke :f :read :value nil}\n"
           "{:process 0 :type :ok :f :read :value [10 10]}\n"
           "{:process 0 :type :invoke :f :read :value nil}\n"
           "{:process 0 :type :ok :f :read :value " +
           second + "}\n";
  };
  EXPECT_EQ(JudgeEdn(reads("[10 10]")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(reads("[9 11]")), Verdict::kInconsistent);
  EXPECT_NE(Refusal(reads("10")).find("without a key"), std::string::npos);
}

TEST(Jepsen, UnknownTransfersHappenAtMostOnce) {
  std::string text = Done(0, "read", "nil", "{:a 100 :b 100}");
  for (int i = 0; i < 24; ++i) {
    text += Event("invoke", 10 + i, "transfer",
                  fmt::format("{{:from :a :to :b :amount {}}}", 1 << i % 7));
    text += Event("info", 10 + i, "transfer", "nil");
  }
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{:a 99 :b 101}")), Verdict::kConsistent);
  // There is no way back.
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{:a 37 :b 163}") +
                     Done(0, "read", "nil", "{:a 38 :b 162}")),
            Verdict::kInconsistent);
}

TEST(Jepsen, WhatNobodyHadAskedForYetExplainsNothing) {
  const auto unknown = [](const char* f, const std::string& value) {
    return Event("invoke", 5, f, value) + Event("info", 5, f, value);
  };
  const std::string three = Done(0, "read", "nil", "3");
  EXPECT_EQ(JudgeEdn(unknown("write", "3") + three), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(three + unknown("write", "3")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(three + unknown("cas", "[nil 3]")), Verdict::kInconsistent);
  const std::string before = Done(0, "read", "nil", "{0 9 1 9}");
  const std::string after = Done(0, "read", "nil", "{0 8 1 10}");
  const std::string transfer = unknown("transfer", "{:from 0 :to 1 :amount 1}");
  EXPECT_EQ(JudgeEdn(before + transfer + after), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(before + after + transfer), Verdict::kInconsistent);
}

// :fail is certain. What has no completion at all is as unknown as :info, and so is what a crashed
// customer left open.
TEST(Jepsen, WhatFailedDidNotHappenAndWhatNeverEndedMayHave) {
  const auto failed = [](const char* f, const std::string& value) {
    return Event("invoke", 5, f, value) + Event("fail", 5, f, value);
  };
  const std::string three = Done(0, "read", "nil", "3");
  EXPECT_EQ(JudgeEdn(failed("write", "3") + three), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(Event("invoke", 5, "write", "3") + three), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Done(0, "write", "2", "2") + failed("cas", "[2 3]") + three),
            Verdict::kInconsistent);
  const std::string before = Done(0, "read", "nil", "{0 9 1 9}");
  const std::string after = Done(0, "read", "nil", "{0 8 1 10}");
  const std::string transfer = "{:from 0 :to 1 :amount 1}";
  EXPECT_EQ(JudgeEdn(before + failed("transfer", transfer) + after), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(before + Event("invoke", 5, "transfer", transfer) + after),
            Verdict::kConsistent);
}

TEST(Jepsen, TransferInPartIsFoundThoughTheSumIsRight) {
  const std::string text = Done(0, "read", "nil", "{0 10 1 10 2 10}") +
                           Done(0, "transfer", "{:from 0 :to 1 :amount 4}", "nil");
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{0 6 1 14 2 10}")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{0 6 1 10 2 14}")), Verdict::kInconsistent);
}

TEST(Jepsen, MalformedInputIsRefused) {
  for (const char* text :
       {"{:type :invoke", "[1 2", "{:type}", "{:type :ok, :process 1, :f :read}",
        "{:type :invoke, :process 1, :f :append, :value 1}",
        "{:type :invoke, :process 1, :f :transfer, :value {:from 0, :amount 1}}",
        "{:type :invoke, :process 1, :f :transfer, :value {:from 0, :to 1, :amount 1.5}}",
        "{:type :invoke, :type :ok, :process 1, :f :write, :value 1}",
        "{:type :invoke, :process 1, :f :write, :value \"\\q\"}",
        "{:type :invoke, :process 1, :f :write, :value #_}",
        "#:a{:type :invoke, :process 1, :f :write, :value 1}"}) {
    EXPECT_NE(Refusal(text), "taken") << text;
  }
}

// A history of which nothing is judged must not look like one that was found right.
TEST(Jepsen, HistoriesWithoutClientsAreRefused) {
  const char* nemesis =
      "{:type :info, :process :nemesis, :f :start, :value [:isolated #{\"n1\"}]}\n";
  EXPECT_NE(Refusal("").find("no operation of any client"), std::string::npos);
  EXPECT_NE(Refusal(nemesis).find("no operation of any client"), std::string::npos);
  EXPECT_EQ(JudgeEdn(nemesis + Done(0, "write", "1", "1")), Verdict::kConsistent);
  for (const char* process : {"nil", "\"0\"", "0.5"}) {
    EXPECT_NE(Refusal(fmt::format("{{:type :invoke, :process {}, :f :write, :value 1}}", process))
                  .find("event 1: the :process is neither"),
              std::string::npos)
        << process;
  }
}

TEST(Jepsen, CompletionsMustFitTheirInvocations) {
  const auto asked_and_told = [](const char* f, const char* asked, const char* g,
                                 const char* told) {
    return Event("invoke", 0, f, asked) + Event("ok", 0, g, told);
  };
  EXPECT_NE(Refusal(asked_and_told("write", "3", "read", "5")).find("event 2: "),
            std::string::npos);
  for (const auto& [f, asked, told] :
       {std::tuple{"write", "3", "5"}, std::tuple{"cas", "[1 2]", "[1 3]"},
        std::tuple{"transfer", "{:from 0 :to 1 :amount 1}", "{:from 0 :to 1 :amount 2}"},
        std::tuple{"write", "[:x 3]", "[:y 3]"}, std::tuple{"read", "[:x nil]", "[:y 3]"}}) {
    EXPECT_NE(
        Refusal(asked_and_told(f, asked, f, told)).find("event 2: the completion has another"),
        std::string::npos)
        << f;
  }
  const std::string keyed = Done(0, "write", "[:x 3]", "[:x 3]");
  EXPECT_NE(Refusal(keyed + Done(1, "read", "[:x nil]", "nil")).find("event 4: "),
            std::string::npos);
  EXPECT_NE(Refusal(keyed + Done(1, "write", "4", "4")).find("event 3: "), std::string::npos);
  // What was not carried out, or perhaps not, may be told in any way.
  EXPECT_EQ(JudgeEdn(Event("invoke", 0, "write", "3") + Event("info", 0, "write", ":timed-out") +
                     Event("invoke", 1, "cas", "[3 4]") + Event("fail", 1, "cas", "[:was 5]") +
                     Done(2, "read", "nil", "3")),
            Verdict::kConsistent);
}

// Transfers without which the next read cannot be explained, but which nobody could have carried
// out one after the other.
TEST(Jepsen, NobodyIsOverdrawnBetweenReads) {
  const std::string read = Done(0, "read", "nil", "{0 10 1 10}");
  const std::string there = "{:from 0 :to 1 :amount 15}";
  const std::string back = "{:from 1 :to 0 :amount 15}";
  const std::string small = "{:from 1 :to 0 :amount 5}";
  const std::string small_back = "{:from 0 :to 1 :amount 5}";
  const std::string in_turn = Done(1, "transfer", there, there) + Done(1, "transfer", back, back);
  EXPECT_EQ(JudgeEdn(read + in_turn + read), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(read + in_turn), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(in_turn + read), Verdict::kInconsistent);
  const auto judgement =
      JudgeJepsen({WriteTemporary("history.edn", read + in_turn + read)}, {.overdrafts = true});
  ASSERT_TRUE(judgement.ok());
  EXPECT_EQ(judgement->verdict, Verdict::kConsistent);
  // Whoever had not enough before anybody looked, and an order against that of time.
  EXPECT_EQ(JudgeEdn(Done(1, "transfer", back, back) + Done(0, "read", "nil", "{0 20 1 0}")),
            Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Done(1, "transfer", back, back) + read), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(read + Done(1, "transfer", there, there) + Done(1, "transfer", small, small) +
                     Done(0, "read", "nil", "{0 0 1 20}")),
            Verdict::kInconsistent);
  // At the same time, they can: the small one first.
  const std::string together =
      Event("invoke", 1, "transfer", there) + Event("invoke", 2, "transfer", small) +
      Event("invoke", 3, "transfer", back) + Event("ok", 1, "transfer", there) +
      Event("ok", 2, "transfer", small) + Event("ok", 3, "transfer", back);
  EXPECT_EQ(JudgeEdn(read + together + Done(1, "transfer", small_back, small_back) + read),
            Verdict::kConsistent);
  // With the help of one that nobody knows of, perhaps; but nothing was read after it.
  const std::string unknown =
      Event("invoke", 2, "transfer", small) + Event("info", 2, "transfer", "nil");
  EXPECT_EQ(JudgeEdn(read + unknown + Done(1, "transfer", there, there)), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(read + unknown + in_turn + read), Verdict::kInconsistent);
}

TEST(Jepsen, EventsMustBeInTheirOrder) {
  const auto stamped = [](const char* stamp, std::vector<int> values) {
    return fmt::format(
        "{{:type :invoke :process 0 :f :write :value 1 :{0} {1}}}\n"
        "{{:type :ok :process 0 :f :write :value 1 :{0} {2}}}\n"
        "{{:type :invoke :process 1 :f :read :{0} {3}}}\n"
        "{{:type :ok :process 1 :f :read :value 1 :{0} {4}}}\n",
        stamp, values[0], values[1], values[2], values[3]);
  };
  EXPECT_EQ(JudgeEdn(stamped("index", {0, 1, 2, 3})), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(stamped("index", {-1, -1, -1, -1})), Verdict::kConsistent);
  EXPECT_NE(Refusal(stamped("index", {2, 3, 0, 1})).find("event 3: :index 0 after :index 3"),
            std::string::npos);
  EXPECT_EQ(JudgeEdn(stamped("time", {5, 5, 6, 7})), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(stamped("time", {5, 7, 6, 8})), Verdict::kConsistent);  // right either way
  EXPECT_EQ(JudgeEdn(stamped("time", {5, 6, 1, 2})), Verdict::kUndecided);   // it read the future
  EXPECT_EQ(JudgeEdn(stamped("time", {5, 2, 6, 7})), Verdict::kUndecided);
}

// What Jepsen and Clojure print besides plain values.
TEST(Jepsen, ReadsEveryFormOfEdn) {
  const std::string write = Event("invoke", 0, "write", "7");
  for (const char* noise :
       {"#_{:type :ok, :process 0, :f :write, :value 7}\n", "#_ #_ {:a 1} [2]\n", "; {:type :ok\n",
        "{:type :info, :process :nemesis, :error [\\a \\\" \\( \\{ \\; \\newline \\u0041 \\,]}\n",
        "^{:line 3} {:type :info, :process :nemesis, :value ^:final {:a 1}}\n",
        "#:jepsen.x{:a 1, :_/type :info, :_/process :nemesis}\n",
        "{:type :info, :process :nemesis, :value #error {:via [#object[a.B 0x1 \"x\"] "
        "#\"a\\\"\"]}}\n",
        "{:type :info, :process :nemesis, :value [##Inf ##NaN #'a/b #{1 2} #inst \"2026\" 1/2 "
        "1e3]}\n"}) {
    EXPECT_EQ(JudgeEdn(write + noise + Event("ok", 0, "write", "7") + Done(1, "read", "nil", "7")),
              Verdict::kConsistent)
        << noise;
    EXPECT_EQ(JudgeEdn(write + noise + Event("ok", 0, "write", "7") + Done(1, "read", "nil", "8")),
              Verdict::kInconsistent)
        << noise;
  }
}

TEST(Jepsen, ValuesAreTheSameOnlyIfTheyAre) {
  const auto reads = [](const char* written, const char* read) {
    return JudgeEdn(Done(0, "write", written, written) + Done(1, "read", "nil", read));
  };
  for (const auto& [a, b] :
       {std::pair{"7N", "7"}, std::pair{"99999999999999999999N", "99999999999999999999"},
        std::pair{"\"\\u0041\\n\"", "\"A\n\""}, std::pair{"+7", "7"}}) {
    EXPECT_EQ(reads(a, b), Verdict::kConsistent) << a << " " << b;
  }
  for (const auto& [a, b] :
       {std::pair{"\"a\\nb\"", "\"anb\""}, std::pair{"\":a\"", ":a"}, std::pair{"\"a\"", "a"},
        std::pair{"\\a", "a"}, std::pair{"1", "\"1\""}, std::pair{"1", "1.0"},
        std::pair{"010", "10"}, std::pair{"##Inf", "##-Inf"}, std::pair{":x/a", ":a"}}) {
    EXPECT_EQ(reads(a, b), Verdict::kInconsistent) << a << " " << b;
  }
}

TEST(Jepsen, RegistersMayHoldSomethingAtFirst) {
  const std::string path = WriteTemporary("history.edn", Done(0, "read", "nil", "0"));
  EXPECT_EQ(JudgeJepsen({path}, {})->verdict, Verdict::kInconsistent);
  EXPECT_EQ(JudgeJepsen({path}, {.initial = "0"})->verdict, Verdict::kConsistent);
  EXPECT_FALSE(JudgeJepsen({path}, {.initial = "[0]"}).ok());
}

TEST(Reader, NamesFileAndLineOfWhatIsWrong) {
  const std::string header = "{\"type\":\"header\",\"version\":1}\n";
  const std::string invoke =
      R"({"type":"invoke","process":1,"id":1,"op":"query","account":"shared","amount":0,"ns":1})"
      "\n";
  const std::string good = header + invoke;
  const auto message = [&](const std::string& text) {
    const auto judgement = JudgeText(text);
    return judgement.ok() ? std::string("accepted") : std::string(judgement.status().message());
  };
  EXPECT_EQ(message(good), "accepted");
  // A torn last line.
  EXPECT_EQ(message(good + R"({"type":"ok","process":1)"), "accepted");
  EXPECT_EQ(message(good + R"({"type":"digest","bran)"), "accepted");
  for (const char* bad :
       {"nonsense", "{}", R"({"type":"later"})", R"({"type":"ok","process":1,"id":2,"ns":3})",
        R"({"type":"invoke","process":1,"id":1,"op":"query","ns":4})",
        R"({"type":"invoke","process":-1,"id":2,"op":"query","ns":4})",
        R"({"type":"invoke","process":1,"id":2,"op":"deposit","ns":4})",
        R"({"type":"ok","process":1,"id":1,"op":"deposit","ns":4})",
        R"({"type":"ok","process":1,"id":1,"result":"perhaps","ns":4})",
        R"({"type":"ok","process":1,"id":1,"id":1,"ns":4})",
        R"({"type":"ok","process":1,"id":1,"result":"ok","balance":1,"amount":5,"ns":4})",
        R"({"type":"ok","process":1,"id":1,"result":"ok","balance":1,"sequence":5,"ns":4})",
        R"({"type":"ok","process":1,"id":1,"result":"ok","balance":1,"ns":0})",
        R"({"type":"ok","process":01,"id":1,"ns":4})", R"({"type":"header","version":1})",
        R"({"type":"digest","branch":1,"log_index":1,"state":"a","accounts":-1})",
        R"({"type":"digest","branch":1,"log_index":1,"state":"a","accounts":9223372036854775808})",
        "{\"type\":\"ok\",\"process\":1,\"id\":1,\"account\":\"\xff\",\"ns\":4}"}) {
    EXPECT_NE(message(good + bad + "\n").find("history.jsonl:3: "), std::string::npos)
        << bad << " gives " << message(good + bad + "\n");
  }
  for (const char* bad : {R"({"type":"header","version":1)", R"({"type":"header","version":[1]})",
                          R"({"type":"header","accounts_max":18446744073709551615})"}) {
    EXPECT_NE(message(bad + ("\n" + invoke)).find("history.jsonl:1: "), std::string::npos) << bad;
  }
  const std::string deposit =
      R"({"type":"invoke","process":1,"id":1,"op":"deposit","amount":1,"ns":1})"
      "\n";
  EXPECT_NE(message(header + deposit +
                    R"({"type":"ok","process":1,"id":1,"result":"ok","index":0,"ns":2})" + "\n")
                .find("history.jsonl:3: "),
            std::string::npos);
  EXPECT_NE(message(invoke + header).find("history.jsonl:1: no header"), std::string::npos);
  const std::string given_up = good + R"({"type":"info","process":1,"id":1,"ns":2})" + "\n";
  EXPECT_EQ(message(given_up), "accepted");
  EXPECT_NE(message(given_up + R"({"type":"info","process":1,"id":1,"ns":3})" + "\n"), "accepted");
}

TEST(Reader, TakesAnythingNestedToAnyDepth) {
  constexpr size_t kDepth = 500'000;
  for (const char* begin : {R"({"type":"header","version":)", R"({"type":"ok","more":)"}) {
    const std::string line = begin + std::string(kDepth, '[') + std::string(kDepth, ']') + "}\n";
    const auto judgement = JudgeText(line);
    ASSERT_FALSE(judgement.ok());
    EXPECT_LT(judgement.status().message().size(), 600u);
  }
}

TEST(Reader, RefusalsAreOneLine) {
  const auto judgement = JudgeText("{\"type\":\"a\\nb\\u001b[2J\",\"id\":1}\n");
  ASSERT_FALSE(judgement.ok());
  EXPECT_NE(judgement.status().message().find(R"(unknown type "a\x0ab\x1b[2J")"), std::string::npos)
      << judgement.status();
}

TEST(Reader, NothingHidesBehindAZeroByte) {
  const std::string line = HistoryText(std::vector<Spec>{{.balance = 1000, .index = 0}});
  ASSERT_TRUE(JudgeText(line).ok());
  const auto judgement =
      JudgeText(line.substr(0, line.size() - 1) + std::string("\0 7}", 4) + "\n");
  ASSERT_FALSE(judgement.ok());
  EXPECT_NE(judgement.status().message().find("a zero byte"), std::string::npos)
      << judgement.status();
}

TEST(Timeline, HoldsTheViolationAndNoMarkupFromNames) {
  const std::vector<Spec> specs = {
      {.op = "deposit",
       .amount = 1,
       .balance = 999,
       .index = 1,
       .invoke_ns = 1,
       .return_ns = 2,
       .account = "</script>"},
      {.id = 2, .balance = 7, .index = 1, .invoke_ns = 3, .return_ns = 4, .account = "</script>"}};
  const std::string path = WriteTemporary("page.jsonl", HistoryText(specs));
  const auto judgement = JudgeHistory({.histories = {path}, .digests = {}});
  ASSERT_TRUE(judgement.ok());
  EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
  const auto page = Timeline(*judgement);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->find("</script>"), page->rfind("</script>"));
  EXPECT_EQ(page->find("http"), std::string::npos);
}

}  // namespace
}  // namespace bank::checker
