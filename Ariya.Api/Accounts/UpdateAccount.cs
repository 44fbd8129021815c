using System.Text.RegularExpressions;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;
using Microsoft.Net.Http.Headers;

namespace Ariya.Api.Accounts;

/// <summary>Changes to a profile; what is left out or null stays as it is.</summary>
/// <param name="FirstName">1 to 64 characters.</param>
/// <param name="LastName">1 to 64 characters.</param>
/// <param name="Locale">A language tag (BCP 47) such as <c>de</c> or <c>pt-BR</c>.</param>
/// <param name="Vendor">The whole business; makes one if there was none.</param>
public sealed record UpdateAccountRequest(string? FirstName, string? LastName, string? Locale, VendorBody? Vendor);

internal sealed partial class UpdateAccount(AriyaDatabase db, IdempotentWork work, CallerCache cache, ProfileCache profiles)
{
    /// <summary>With <c>If-Match</c> the change is made only to the version the caller has read; a stale one is 412.</summary>
    public static async Task<IResult> HandleAsync(
        UpdateAccountRequest request, Caller caller, ClientInfo client, HttpContext http, Admission admission, UpdateAccount update,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var changes = new Changes(
            request.FirstName is null ? null : errors.Name("firstName", request.FirstName),
            request.LastName is null ? null : errors.Name("lastName", request.LastName),
            request.Locale,
            request.Vendor is { } vendor ? errors.Name("vendor.businessName", vendor.BusinessName) : null,
            request.Vendor is not null ? errors.Name("vendor.category", request.Vendor.Category) : null);
        if (request.Locale is not null && !LanguageTag().IsMatch(request.Locale))
        {
            errors.Add("locale", "Use a language tag such as en or pt-BR.");
        }

        return errors.Any
            ? Problem.Validation(errors)
            : await admission.RunAsync(
                caller.Account.Id.ToString(), request, () => update.WriteAsync(changes, caller, client, http, cancellationToken), cancellationToken);
    }

    private async Task<IResult> WriteAsync(Changes changes, Caller caller, ClientInfo client, HttpContext http, CancellationToken cancellationToken)
    {
        // Any of the listed versions is meant (RFC 9110 section 13.1.1); a weak tag, or none of ours, matches no version.
        var tags = http.Request.GetTypedHeaders().IfMatch;
        var isAnyVersion = string.IsNullOrEmpty(http.Request.Headers.IfMatch) || tags.Contains(EntityTagHeaderValue.Any);
        var meant = tags.Where(tag => !tag.IsWeak).Select(tag => tag.Tag.ToString()).ToArray();
        var updated = await work.DoAsync(() => db.QueryFirstAsync(
            $"""
             with a as (
               update accounts
               set first_name = coalesce({changes.FirstName}::text, first_name), last_name = coalesce({changes.LastName}::text, last_name),
                   locale = coalesce({changes.Locale}::text, locale), version = version + 1, updated_at = clock_timestamp()
               where id = {caller.Account.Id} and status = 'active' and ({isAnyVersion} or '"' || version || '"' = any({meant}))
               returning id, email, first_name, last_name, roles, locale, version),
             v as (
               insert into vendors (account_id, business_name, category)
               select a.id, {changes.BusinessName}::text, {changes.Category}::text from a where {changes.BusinessName}::text is not null
               on conflict (account_id) do update set business_name = excluded.business_name, category = excluded.category
               returning business_name, category),
             e as (
               insert into audit_events (id, kind, account_id, session_id, network, user_agent)
               select {Guid.CreateVersion7()}, {AuditKinds.ProfileChanged}, a.id, {caller.SessionId}, {client.Network}, {client.UserAgent} from a)
             select a.*, coalesce(v.business_name, b.business_name) as business_name, coalesce(v.category, b.category) as category
             from a left join v on true left join vendors b on b.account_id = a.id
             """,
            row => new Caller(caller.SessionId, AccountBody.Read(row), row.Get<int>("version")), cancellationToken), cancellationToken);
        if (updated is null)
        {
            return Problem.PreconditionFailed();
        }

        work.WhenCommitted(() =>
        {
            cache.ForgetAccount(caller.Account.Id);
            profiles.Keep(updated.Account, updated.Version);
        });
        return GetAccount.Handle(updated, http);
    }

    [GeneratedRegex("^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex LanguageTag();

    private sealed record Changes(string? FirstName, string? LastName, string? Locale, string? BusinessName, string? Category);
}
