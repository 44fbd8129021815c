using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Outbox;
using Ariya.Data;
using Ariya.Data.Accounts;

namespace Ariya.Api.Auth;

/// <summary>
/// Writes that somebody asked for a mail to an address. Nothing is looked up: the statement is the same for any address, and the
/// worker finds out whether there is anybody to send to.
/// </summary>
internal sealed class MailRequests(AriyaDatabase db, AddressKeys addressKeys, IdempotentWork work, OutboxBell bell)
{
    public async Task RequestAsync(
        string mailKind, TimeSpan deliverWithin, string auditKind, EmailAddress email, ClientInfo client, CancellationToken cancellationToken)
    {
        await work.DoAsync(() => db.ExecuteAsync(
            $"""
             with m as (
               insert into outbox_messages (id, mail_id, kind, recipient, deliver_before, traceparent, salt)
               values ({Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {mailKind}, {email.Canonical}, clock_timestamp() + {deliverWithin},
                       {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}))
             insert into audit_events (id, kind, address_key, network, user_agent)
             values ({Guid.CreateVersion7()}, {auditKind}, {addressKeys.Of(email)}, {client.Network}, {client.UserAgent})
             """,
            cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
    }
}
