using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ariya.Tests.Mail.Relay;

/// <summary>An authority that lives as long as the test, and server certificates of it.</summary>
internal sealed class RelayCertificates : IDisposable
{
    private readonly DateTimeOffset _now = TimeProvider.System.GetUtcNow();
    private readonly X509Certificate2 _authority;

    public RelayCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Relay test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _authority = request.CreateSelfSigned(_now.AddDays(-30), _now.AddDays(30));
    }

    /// <summary>The authority's certificate, for whoever is to trust it.</summary>
    public string AuthorityPem => _authority.ExportCertificatePem();

    public X509Certificate2 Valid(string host = "localhost") => Issue(host, _now.AddDays(-1), _now.AddDays(1));

    public X509Certificate2 Expired(string host = "localhost") => Issue(host, _now.AddDays(-10), _now.AddDays(-1));

    public void Dispose() => _authority.Dispose();

    private X509Certificate2 Issue(string host, DateTimeOffset from, DateTimeOffset until)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        using var certificate = request.Create(_authority, from, until, RandomNumberGenerator.GetBytes(8));
        using var withKey = certificate.CopyWithPrivateKey(key);
        // Loaded anew: a key that only lives in memory is not taken by every TLS library.
        return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);
    }
}
