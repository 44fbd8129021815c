using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Accounts;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Outbox;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;

namespace Ariya.Api.Auth;

/// <summary>A request to register.</summary>
/// <param name="Email">The address to prove.</param>
/// <param name="Password">15 to 256 characters.</param>
/// <param name="FirstName">1 to 64 characters.</param>
/// <param name="LastName">1 to 64 characters.</param>
/// <param name="Vendor">Present when a business registers.</param>
public sealed record RegisterRequest(string? Email, string? Password, string? FirstName, string? LastName, VendorBody? Vendor);

/// <summary>The statements and the one hash are the same for a free and a taken address; the worker decides which mail goes out.</summary>
internal sealed class Register(
    AriyaDatabase db, PasswordHasher hasher, HashGate gate, AddressKeys addressKeys, IdempotentWork work, OutboxBell bell, AuthEvents events)
{
    /// <summary>
    /// Asks for an account. The answer is the same for a free and a taken address; a mail follows. An equal request within ten minutes
    /// is the same registration and sends no second mail.
    /// </summary>
    public static async Task<IResult> HandleAsync(
        RegisterRequest request, ClientInfo client, Admission admission, Register register, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var email = errors.Email("email", request.Email);
        var password = errors.NewPassword("password", request.Password);
        var firstName = errors.Name("firstName", request.FirstName);
        var lastName = errors.Name("lastName", request.LastName);
        var businessName = request.Vendor is { } vendor ? errors.Name("vendor.businessName", vendor.BusinessName) : null;
        var category = request.Vendor is not null ? errors.Name("vendor.category", request.Vendor.Category) : null;
        if (email is null || errors.Any)
        {
            return Problem.Validation(errors);
        }

        if (PasswordBlocklist.Reason(password, email, firstName, lastName) is { } reason)
        {
            return Problem.PasswordTooWeak("password", reason);
        }

        var wanted = new Wanted(email, password, firstName, lastName, businessName, category);
        return await admission.RunAsync(email.Canonical, request, () => register.WriteAsync(wanted, client, cancellationToken), cancellationToken);
    }

    private async Task<IResult> WriteAsync(Wanted wanted, ClientInfo client, CancellationToken cancellationToken)
    {
        var (email, password, firstName, lastName, businessName, category) = wanted;
        await hasher.EnsureReadyAsync(cancellationToken);
        string passwordHash;
        using (var place = await gate.EnterAsync(client.Network, cancellationToken))
        {
            if (place is null)
            {
                return Problem.Busy();
            }

            passwordHash = hasher.Create(password);
        }

        var id = Guid.CreateVersion7();
        var fingerprint = addressKeys.Fingerprint(email.Canonical, password, firstName, lastName, businessName, category);
        // Waits for a link of this address that is being used just now, so that its judgement of how many registrations there are holds.
        await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select pg_advisory_xact_lock(hashtextextended({email.Canonical}, 0))",
                $"""
                 with r as (
                   insert into registrations (id, email, email_canonical, password_hash, first_name, last_name, vendor_business_name,
                                              vendor_category, fingerprint, network, user_agent, expires_at)
                   values ({id}, {email.Address}, {email.Canonical}, {passwordHash}, {firstName}, {lastName}, {businessName},
                           {category}, {fingerprint}, {client.Network}, {client.UserAgent}, clock_timestamp() + interval '7 days')
                   on conflict (fingerprint) do update
                     set requested_at = clock_timestamp(), expires_at = excluded.expires_at, network = excluded.network,
                         user_agent = excluded.user_agent
                     where registrations.requested_at < clock_timestamp() - interval '10 minutes'
                   returning id),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.Registration},
                          jsonb_build_object('registrationId', r.id), {email.Canonical}, clock_timestamp() + interval '24 hours',
                          {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from r)
                 insert into audit_events (id, kind, address_key, network, user_agent)
                 values ({Guid.CreateVersion7()}, {AuditKinds.RegistrationRequested}, {addressKeys.Of(email)}, {client.Network}, {client.UserAgent})
                 returning id
                 """,
            ],
            row => row.GetGuid(0), cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
        work.WhenCommitted(() => events.RegistrationRequested(client.Network));
        return TypedResults.Accepted((string?)null);
    }

    private sealed record Wanted(EmailAddress Email, string Password, string FirstName, string LastName, string? BusinessName, string? Category);
}
