// Goal: what a customer sees on the wire for every fate and every bad call; health as the branch
// comes and goes; streams in order, bounded, and gone when their customer is.
// Method: a real server on a free port over the real teller and a replicator of one that does what
// the test says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <thread>

#include "branch/rpc/admin_service.h"
#include "branch/rpc/batch_stream.h"
#include "branch/rpc/customer_service.h"
#include "branch/rpc/server.h"
#include "common/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "net/channel.h"
#include "tests/support/fake_replicator.h"
#include "tests/support/seeded_entropy.h"

namespace bank::rpc {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using replication::Fate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Services : public ::testing::Test {
 protected:
  Services()
      : teller_({}, replicator_, clock_, entropy_),
        service_{teller_, inflight_limit_, clock_, BranchId(7), metrics_, openings_},
        customer_(service_),
        exercise_(service_),
        admin_(BranchId(7), {{BranchId(7), "localhost:1", true}}, replicator_, replicator_,
               clock_) {
    auto server =
        Server::Start({.listen = "127.0.0.1:0", .tls = {}}, {&customer_, &exercise_, &admin_});
    BANK_CHECK(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = *net::MakeChannel("127.0.0.1:" + std::to_string(server_->port()), {},
                                 net::ChannelKind::kCustomer);
    stub_ = v1::Customer::NewStub(channel_);
    v1::Request open;
    open.set_request("open");
    open.set_money(400);
    v1::Reply reply;
    BANK_CHECK(Call(open, &reply).ok() && reply.success()) << reply.DebugString();
  }
  ~Services() override { replicator_.Release(); }

  grpc::Status Call(const v1::Request& request, v1::Reply* reply, int timeout_ms = 10'000) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
    return stub_->MsgDelivery(&context, request, reply);
  }
  v1::Reply Ask(const std::string& interface, int64_t money, const std::string& account = "") {
    v1::Request request;
    request.set_request(interface);
    request.set_money(money);
    request.set_account(account);
    v1::Reply reply;
    const grpc::Status status = Call(request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  HealthCheckResponse::ServingStatus HealthOf(const std::string& service) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    HealthCheckResponse response;
    request.set_service(service);
    EXPECT_TRUE(Health::NewStub(channel_)->Check(&context, request, &response).ok());
    return response.status();
  }
  void AwaitOpen(size_t count) {
    while (replicator_.open() < count) std::this_thread::yield();
  }

  SteadyClock clock_;
  SeededEntropy entropy_;
  replication::FakeReplicator replicator_;
  teller::Teller teller_;
  InflightLimit inflight_limit_{1000};
  telemetry::OperationMetrics metrics_;
  Openings openings_{{.connection_max = 20}, BranchId(7), clock_, entropy_};
  ServiceContext service_;
  CustomerService customer_;
  ExerciseService exercise_;
  AdminService admin_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Customer::Stub> stub_;
};

TEST_F(Services, QueryDepositWithdraw) {
  EXPECT_EQ(Ask("query", 0).money(), 400);
  const v1::Reply deposit = Ask("deposit", 170);
  EXPECT_TRUE(deposit.success());
  EXPECT_EQ(deposit.money(), 570);
  EXPECT_EQ(deposit.branch(), 7u);
  const v1::Reply withdraw = Ask("withdraw", 70);
  EXPECT_EQ(withdraw.money(), 500);
  EXPECT_GT(withdraw.position(), deposit.position());
  const v1::Reply refused = Ask("withdraw", 501);
  EXPECT_FALSE(refused.success());
  EXPECT_EQ(refused.code(), v1::INSUFFICIENT_FUNDS);
  EXPECT_EQ(refused.money(), 500);
}

TEST_F(Services, TheExercisesNameAnswersAlike) {
  auto stub = RPCServicer::NewStub(channel_);
  grpc::ClientContext context;
  v1::Request request;
  v1::Reply reply;
  request.set_request("deposit");
  request.set_money(10);
  ASSERT_TRUE(stub->MsgDelivery(&context, request, &reply).ok());
  EXPECT_TRUE(reply.success());
  EXPECT_EQ(reply.money(), 410);
}

TEST_F(Services, BadCallsGetClearAnswersAndTheBranchLivesOn) {
  struct Row {
    const char* interface;
    int64_t money;
    std::string account;
    v1::ResultCode code;
  };
  const Row rows[] = {
      {"", 0, "", v1::BAD_REQUEST},
      {"Query", 0, "", v1::BAD_REQUEST},
      {"steal", 1, "", v1::BAD_REQUEST},
      {"deposit", 0, "", v1::BAD_AMOUNT},
      {"deposit", -1, "", v1::BAD_AMOUNT},
      {"withdraw", INT64_MIN, "", v1::BAD_AMOUNT},
      {"deposit", INT64_MAX, "", v1::OVERFLOW_REFUSED},
      {"deposit", 1, "nobody", v1::UNKNOWN_ACCOUNT},
      {"query", 0, "nobody", v1::UNKNOWN_ACCOUNT},
      {"deposit", 1, std::string(1 << 20, 'a'), v1::BAD_ACCOUNT},
      {"open", 1, std::string(129, 'a'), v1::BAD_ACCOUNT},
      {"open", 1, "", v1::ACCOUNT_EXISTS},
  };
  for (const Row& row : rows) {
    const v1::Reply reply = Ask(row.interface, row.money, row.account);
    EXPECT_FALSE(reply.success()) << row.interface;
    EXPECT_EQ(reply.code(), row.code) << row.interface << " " << reply.DebugString().substr(0, 99);
    EXPECT_FALSE(reply.message().empty());
  }
  EXPECT_EQ(Ask("query", 0).money(), 400);
}

TEST_F(Services, FatesHaveTheirStatus) {
  v1::Request deposit;
  deposit.set_request("deposit");
  deposit.set_money(1);
  v1::Reply reply;
  replicator_.SetFate(Fate::kNotApplied);
  const grpc::Status certain = Call(deposit, &reply);
  EXPECT_EQ(certain.error_code(), grpc::StatusCode::ABORTED);
  replicator_.SetFate(Fate::kUnknown);
  const grpc::Status unknown = Call(deposit, &reply);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(unknown.error_message(), HasSubstr("unknown"));
  v1::Request query;
  query.set_request("query");
  replicator_.SetRead(absl::UnavailableError("no leader"));
  const grpc::Status unread = Call(query, &reply);
  EXPECT_EQ(unread.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(unread.error_message(), HasSubstr("no leader"));
  query.set_consistency(v1::LOCAL);
  EXPECT_TRUE(Call(query, &reply).ok());
  EXPECT_EQ(reply.money(), 400);
}

TEST_F(Services, ACallThatItsCustomerGaveUpEndsWell) {
  replicator_.Hold();
  v1::Request deposit;
  deposit.set_request("deposit");
  deposit.set_money(1);
  v1::Reply reply;
  EXPECT_EQ(Call(deposit, &reply, 30).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  AwaitOpen(1);
  EXPECT_EQ(inflight_limit_.open(), 1);
  replicator_.Release();
  EXPECT_EQ(inflight_limit_.open(), 0);
  EXPECT_EQ(Ask("query", 0).money(), 401) << "it was under way, and nobody could take it back";
}

TEST_F(Services, BusyAndStoppingAreCertain) {
  ASSERT_EQ(inflight_limit_.Enter(1000), InflightLimit::Entry::kEntered);
  v1::Request deposit;
  deposit.set_request("deposit");
  deposit.set_money(1);
  v1::Reply reply;
  grpc::Status status = Call(deposit, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("busy"));
  inflight_limit_.Close();
  status = Call(deposit, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("stopping"));
  inflight_limit_.Leave(1000);
}

// One connection's sessions, each with an id that tells nothing; then refusals that are certain.
TEST_F(Services, OneConnectionOpensOnlySoManySessions) {
  std::set<uint64_t> ids;
  for (int i = 0; i < 25; ++i) {
    grpc::ClientContext context;
    v1::OpenSessionReply session;
    const grpc::Status status = stub_->OpenSession(&context, {}, &session);
    if (i < 20) {
      EXPECT_TRUE(status.ok()) << status.error_message();
      EXPECT_TRUE(ids.insert(session.session()).second);
      EXPECT_GT(session.session(), session.position() << 32);
    } else {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
      EXPECT_THAT(status.error_message(), HasSubstr("20 sessions an hour"));
    }
  }
}

TEST_F(Services, SessionsAndLookup) {
  grpc::ClientContext open;
  v1::OpenSessionReply session;
  ASSERT_TRUE(stub_->OpenSession(&open, {}, &session).ok());
  EXPECT_GT(session.session(), 0u);
  EXPECT_GT(session.window(), 0u);
  v1::Request deposit;
  deposit.set_request("deposit");
  deposit.set_money(5);
  deposit.set_session(session.session());
  deposit.set_sequence(1);
  v1::Reply first;
  v1::Reply again;
  ASSERT_TRUE(Call(deposit, &first).ok());
  ASSERT_TRUE(Call(deposit, &again).ok());
  EXPECT_FALSE(first.replayed());
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(first.position(), again.position());
  v1::LookupRequest key;
  key.set_session(session.session());
  key.set_sequence(1);
  v1::Reply found;
  grpc::ClientContext lookup;
  ASSERT_TRUE(stub_->Lookup(&lookup, key, &found).ok());
  EXPECT_EQ(found.position(), first.position());
  key.set_sequence(2);
  grpc::ClientContext lookup_other;
  ASSERT_TRUE(stub_->Lookup(&lookup_other, key, &found).ok());
  EXPECT_EQ(found.code(), v1::NOT_APPLIED);
}

v1::Batch Deposits(int count, int64_t amount) {
  v1::Batch batch;
  for (int i = 0; i < count; ++i) {
    batch.add_kind(v1::Batch::DEPOSIT);
    batch.add_money(amount);
  }
  return batch;
}

TEST_F(Services, CountsOperationsAndHowLongTheyTook) {
  const uint64_t before = metrics_.writes.Read().count();
  Ask("deposit", 1);
  Ask("withdraw", 1'000'000);  // a refusal is an answer, too
  Ask("query", 0);
  EXPECT_EQ(metrics_.writes.Read().count() - before, 2u);
  const LatencyCounts reads = metrics_.reads.Read();
  EXPECT_EQ(reads.count(), 1u);
  EXPECT_GT(reads.sum_ns, 0u);
}

TEST_F(Services, ABusyStreamIsCertainAndLeavesTheGateAsItWas) {
  grpc::ClientContext context;
  auto stream = stub_->Stream(&context);
  v1::BatchReply reply;
  ASSERT_EQ(inflight_limit_.Enter(1000), InflightLimit::Entry::kEntered);
  ASSERT_TRUE(stream->Write(Deposits(3, 1)));
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.fate(), v1::BatchReply::NOT_APPLIED);
  EXPECT_THAT(reply.message(), HasSubstr("busy"));
  inflight_limit_.Leave(1000);
  ASSERT_TRUE(stream->Write(Deposits(3, 1)));
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.fate(), v1::BatchReply::APPLIED);
  EXPECT_EQ(inflight_limit_.open(), 0);
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
}

// The call's own deadline or the one it carries, whichever comes first; gRPC rounds the former.
TEST_F(Services, CallsEndAtTheirDeadline) {
  ASSERT_TRUE(Ask("deposit", 1).success());  // the branch's own session is open
  const auto left_ms = [&](int64_t begin_ns) {
    return (replicator_.deadline_ns() - begin_ns) / kNsPerMs;
  };
  v1::Request deposit;
  deposit.set_request("deposit");
  deposit.set_money(1);
  v1::Reply reply;
  for (const auto& [deadline_ms, timeout_ms] :
       {std::pair(20'000, 60'000), std::pair(60'000, 20'000), std::pair(0, 20'000)}) {
    deposit.set_deadline_ms(deadline_ms);
    const int64_t begin_ns = clock_.NowNs();
    ASSERT_TRUE(Call(deposit, &reply, timeout_ms).ok());
    EXPECT_LE(left_ms(begin_ns), 30'000 + (clock_.NowNs() - begin_ns) / kNsPerMs);
    EXPECT_GT(left_ms(begin_ns), 10'000);
  }
  grpc::ClientContext context;
  auto stream = stub_->Stream(&context);
  v1::Batch batch = Deposits(1, 1);
  batch.set_deadline_ms(3'000);
  v1::BatchReply answer;
  const int64_t begin_ns = clock_.NowNs();
  ASSERT_TRUE(stream->Write(batch));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_LE(left_ms(begin_ns), 5'000 + (clock_.NowNs() - begin_ns) / kNsPerMs);
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Services, StreamAnswersInOrderAndEndsWhenAllIsAnswered) {
  const uint64_t before = metrics_.writes.Read().count();
  replicator_.Hold();
  grpc::ClientContext context;
  auto stream = stub_->Stream(&context);
  constexpr int kBatches = 200;  // more than may be in flight
  std::jthread writer([&] {
    for (int i = 1; i <= kBatches; ++i) stream->Write(Deposits(3, i));
    v1::Batch bad;
    bad.add_kind(v1::Batch::DEPOSIT);
    bad.add_account(3);
    stream->Write(bad);
    stream->WritesDone();
  });
  AwaitOpen(1);
  replicator_.Release();
  int64_t balance = 400;
  v1::BatchReply reply;
  for (int i = 1; i <= kBatches; ++i) {
    ASSERT_TRUE(stream->Read(&reply));
    ASSERT_EQ(reply.fate(), v1::BatchReply::APPLIED);
    ASSERT_THAT(reply.money(), ElementsAre(balance + i, balance + 2 * i, balance + 3 * i));
    EXPECT_THAT(reply.position_step(), ElementsAre(0, 1, 1));
    balance += 3 * i;
  }
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.fate(), v1::BatchReply::NOT_APPLIED);
  EXPECT_FALSE(reply.message().empty());
  EXPECT_FALSE(stream->Read(&reply));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(metrics_.writes.Read().count() - before, 3u * kBatches + 1);
  EXPECT_EQ(metrics_.reads.Read().count(), 0u);
}

TEST_F(Services, StreamAnswersInOrderWhateverIsDoneFirst) {
  ASSERT_TRUE(Ask("deposit", 1).success());  // the branch's own session is open
  replicator_.Hold();
  grpc::ClientContext context;
  auto stream = stub_->Stream(&context);
  constexpr int kBatches = 8;
  for (int i = 1; i <= kBatches; ++i) ASSERT_TRUE(stream->Write(Deposits(1, i)));
  AwaitOpen(kBatches);
  replicator_.ReleaseBackwards();
  int64_t balance = 401;
  v1::BatchReply reply;
  for (int i = 1; i <= kBatches; ++i) {
    ASSERT_TRUE(stream->Read(&reply));
    balance += i;
    ASSERT_THAT(reply.money(), ElementsAre(balance));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Services, StreamReadsNoMoreThanItMayHoldOpen) {
  ASSERT_TRUE(Ask("deposit", 1).success());  // the branch's own session is open
  replicator_.Hold();
  grpc::ClientContext context;
  auto stream = stub_->Stream(&context);
  for (size_t i = 0; i < BatchStream::kBatchesInFlightMax + 10; ++i) {
    ASSERT_TRUE(stream->Write(Deposits(1, 1)));
  }
  AwaitOpen(BatchStream::kBatchesInFlightMax);
  EXPECT_EQ(Ask("query", 0).branch(), 7u);  // a round trip in which more could have been read
  EXPECT_EQ(replicator_.open(), BatchStream::kBatchesInFlightMax);
  context.TryCancel();
  stream->Finish();
  replicator_.Release();  // completions after the stream's end have somewhere to go
  EXPECT_EQ(Ask("query", 0).branch(), 7u);
}

TEST_F(Services, HealthFollowsTheBranch) {
  for (const char* name : kHealthNames) {
    EXPECT_EQ(HealthOf(name), HealthCheckResponse::NOT_SERVING) << name;
  }
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("bank.v1.Customer");
  auto watch = Health::NewStub(channel_)->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server_->SetServing(true);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  for (const char* name : kHealthNames) {
    EXPECT_EQ(HealthOf(name), HealthCheckResponse::SERVING) << name;
  }
  server_->EndServing();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server_->SetServing(true);
  EXPECT_EQ(HealthOf(""), HealthCheckResponse::NOT_SERVING) << "the end is the end";
  context.TryCancel();
}

TEST_F(Services, StatusWaitsForAnIndex) {
  auto admin = v1::Admin::NewStub(channel_);
  v1::BranchStatus status;
  grpc::ClientContext now;
  ASSERT_TRUE(admin->Status(&now, {}, &status).ok());
  EXPECT_EQ(status.branch(), 7u);
  EXPECT_EQ(status.role(), "leader");
  EXPECT_EQ(status.balance_total(), 400);
  EXPECT_EQ(status.state_digest().size(), 16u);
  EXPECT_EQ(status.members_size(), 1);
  v1::StatusRequest request;
  request.set_minimum_position(status.position() + 1);
  grpc::ClientContext late;
  EXPECT_EQ(admin->Status(&late, request, &status).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(Services, PortInUseIsOneLine) {
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  const auto second = Server::Start({.listen = address, .tls = {}}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
}

}  // namespace
}  // namespace bank::rpc
